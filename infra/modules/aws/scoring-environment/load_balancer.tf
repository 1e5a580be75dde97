resource "aws_lb" "this" {
  # checkov:skip=CKV2_AWS_28: Internal, or for the clients that are named; rules of a firewall are the team's own.
  # checkov:skip=CKV_AWS_150: By `deletion_protection`, which only stacks of a trial switch off.
  name                       = local.balancer
  load_balancer_type         = "application"
  internal                   = var.internal
  subnets                    = var.public_subnet_ids
  security_groups            = [aws_security_group.load_balancer.id]
  drop_invalid_header_fields = true
  desync_mitigation_mode     = "defensive"
  enable_deletion_protection = var.deletion_protection
  tags                       = merge(var.tags, { "mlops-ci:environment" = local.name })

  dynamic "access_logs" {
    for_each = var.access_logs == null ? [] : [var.access_logs]
    content {
      enabled = true
      bucket  = access_logs.value.bucket
      prefix  = access_logs.value.prefix
    }
  }
}

# The listener that scoring services add their rules to. What no rule knows is nobody's.
resource "aws_lb_listener" "services" {
  load_balancer_arn = aws_lb.this.arn
  port              = var.https == null ? 80 : 443
  protocol          = var.https == null ? "HTTP" : "HTTPS"
  certificate_arn   = var.https == null ? null : var.https.certificate_arn
  ssl_policy        = var.https == null ? null : "ELBSecurityPolicy-TLS13-1-2-2021-06"
  tags              = var.tags

  default_action {
    type = "fixed-response"
    fixed_response {
      content_type = "text/plain"
      message_body = "no such model"
      status_code  = "404"
    }
  }
}

resource "aws_lb_listener" "redirect" {
  count = var.https == null ? 0 : 1

  load_balancer_arn = aws_lb.this.arn
  port              = 80
  protocol          = "HTTP"
  tags              = var.tags

  default_action {
    type = "redirect"
    redirect {
      port        = "443"
      protocol    = "HTTPS"
      status_code = "HTTP_301"
    }
  }
}
