resource "aws_security_group" "load_balancer" {
  name        = "${local.name}_load-balancer"
  description = "The load balancer of ${local.name}"
  vpc_id      = var.vpc_id
  tags        = var.tags
}

resource "aws_security_group" "tasks" {
  # checkov:skip=CKV2_AWS_5: Attached to the services of scoring-service, which are another state's.
  name        = "${local.name}_tasks"
  description = "The scoring services of ${local.name}"
  vpc_id      = var.vpc_id
  tags        = var.tags
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  for_each = {
    for pair in setproduct(var.allowed_cidrs, var.https == null ? [80] : [80, 443]) :
    "${pair[0]} ${pair[1]}" => { cidr = pair[0], port = pair[1] }
  }

  security_group_id = aws_security_group.load_balancer.id
  description       = "Clients"
  cidr_ipv4         = each.value.cidr
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
  tags              = var.tags
}

resource "aws_vpc_security_group_egress_rule" "to_tasks" {
  security_group_id            = aws_security_group.load_balancer.id
  description                  = "Scoring services"
  referenced_security_group_id = aws_security_group.tasks.id
  ip_protocol                  = "tcp"
  from_port                    = local.port
  to_port                      = local.port
  tags                         = var.tags
}

resource "aws_vpc_security_group_ingress_rule" "from_load_balancer" {
  security_group_id            = aws_security_group.tasks.id
  description                  = "The load balancer"
  referenced_security_group_id = aws_security_group.load_balancer.id
  ip_protocol                  = "tcp"
  from_port                    = local.port
  to_port                      = local.port
  tags                         = var.tags
}

resource "aws_vpc_security_group_egress_rule" "images_and_logs" {
  for_each = toset(var.egress_cidrs)

  security_group_id = aws_security_group.tasks.id
  description       = "Images and logs"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  tags              = var.tags

  # Rules without a range of addresses first: moto takes them for a repetition of one that has.
  depends_on = [aws_vpc_security_group_egress_rule.prefix_lists]
}

resource "aws_vpc_security_group_egress_rule" "prefix_lists" {
  for_each = var.egress_prefix_lists

  security_group_id = aws_security_group.tasks.id
  description       = "Images and logs: ${each.key}"
  prefix_list_id    = each.value
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  tags              = var.tags
}

locals {
  port = 8080 # the scoring image's own
}
