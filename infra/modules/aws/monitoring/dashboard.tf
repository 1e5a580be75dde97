locals {
  graphs = var.traffic == null ? [] : [
    { title = "Requests a minute", metric = "RequestCount", stat = "Sum" },
    { title = "5xx a minute", metric = "HTTPCode_Target_5XX_Count", stat = "Sum" },
    { title = "Half of the answers take, s", metric = "TargetResponseTime", stat = "p50" },
    { title = "One of a hundred takes longer than, s", metric = "TargetResponseTime", stat = "p99" },
    { title = "Healthy tasks", metric = "HealthyHostCount", stat = "Minimum" },
  ]

  usage = var.services == null || var.traffic == null ? [] : ["CPUUtilization", "MemoryUtilization"]

  of_releases = [for graph in local.graphs : {
    title = graph.title
    stat  = graph.stat
    metrics = [for id, group in local.groups : [
      "AWS/ApplicationELB", graph.metric, "TargetGroup", group, "LoadBalancer", var.traffic.load_balancer, { label = substr(id, 0, 12) }
    ]]
  }]

  of_services = [for metric in local.usage : {
    title = "${metric}, per cent"
    stat  = "Average"
    metrics = [for id, service in var.services.service_names : [
      "AWS/ECS", metric, "ServiceName", service, "ClusterName", var.services.cluster_name, { label = substr(id, 0, 12) }
    ]]
  }]

  widgets = concat(local.of_releases, local.of_services)
}

resource "aws_cloudwatch_dashboard" "model" {
  count = length(local.groups) == 0 ? 0 : 1

  dashboard_name = var.name
  dashboard_body = jsonencode({
    widgets = [for number, widget in local.widgets : {
      type   = "metric"
      x      = 12 * (number % 2)
      y      = 6 * floor(number / 2)
      width  = 12
      height = 6
      properties = {
        title   = widget.title
        region  = var.traffic.region
        stat    = widget.stat
        period  = 60
        view    = "timeSeries"
        metrics = widget.metrics
      }
    }]
  })
}
