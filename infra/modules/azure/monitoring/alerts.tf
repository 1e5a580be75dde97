locals {
  # What each kind of resource is watched for. Values are of Azure Monitor's own metrics.
  groups = merge([
    for name, id in var.container_groups : {
      "${name}-memory" = {
        scope    = id, namespace = "Microsoft.ContainerInstance/containerGroups", metric = "MemoryUsage", aggregation = "Average"
        operator = "GreaterThan", threshold = var.memory_bytes, severity = 2, minutes = 15
        says     = "The service of ${name} needs nearly all of its memory; Azure ends it when it has none left."
      }
      "${name}-silent" = {
        scope    = id, namespace = "Microsoft.ContainerInstance/containerGroups", metric = "CpuUsage", aggregation = "Maximum"
        operator = "LessThan", threshold = 1, severity = 1, minutes = 15
        says     = "The service of ${name} has not used a thousandth of a core for a quarter of an hour: it does not run."
      }
    }
  ]...)

  clusters = merge([
    for name, id in var.kubernetes_clusters : {
      "${name}-cpu" = {
        scope    = id, namespace = "Microsoft.ContainerService/managedClusters", metric = "node_cpu_usage_percentage", aggregation = "Average"
        operator = "GreaterThan", threshold = 85, severity = 2, minutes = 15
        says     = "The nodes of ${name} are nearly out of processors."
      }
      "${name}-memory" = {
        scope    = id, namespace = "Microsoft.ContainerService/managedClusters", metric = "node_memory_working_set_percentage", aggregation = "Average"
        operator = "GreaterThan", threshold = 90, severity = 2, minutes = 15
        says     = "The nodes of ${name} are nearly out of memory."
      }
      "${name}-unschedulable" = {
        scope    = id, namespace = "Microsoft.ContainerService/managedClusters", metric = "cluster_autoscaler_unschedulable_pods_count", aggregation = "Average"
        operator = "GreaterThan", threshold = 0, severity = 1, minutes = 15
        says     = "Pods of ${name} find no node, and none comes: the pool is at its most, or the quota is."
      }
    }
  ]...)

  stores = merge([
    for name, id in var.storage_accounts : {
      "${name}-availability" = {
        scope    = id, namespace = "Microsoft.Storage/storageAccounts", metric = "Availability", aggregation = "Average"
        operator = "LessThan", threshold = 99.9, severity = 1, minutes = 15
        says     = "Requests to ${name} fail; releases and promotions will, too."
      }
    }
  ]...)

  alerts = merge(local.groups, local.clusters, local.stores)
}

resource "azurerm_monitor_metric_alert" "this" {
  for_each            = local.alerts
  name                = "${var.name}-${each.key}"
  description         = each.value.says
  resource_group_name = var.resource_group_name
  scopes              = [each.value.scope]
  severity            = each.value.severity
  frequency           = "PT5M"
  window_size         = "PT${each.value.minutes}M"
  auto_mitigate       = true
  tags                = var.tags

  criteria {
    metric_namespace = each.value.namespace
    metric_name      = each.value.metric
    aggregation      = each.value.aggregation
    operator         = each.value.operator
    threshold        = each.value.threshold
  }

  action {
    action_group_id = azurerm_monitor_action_group.this.id
  }
}
