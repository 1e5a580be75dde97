locals {
  # One chart for each alert, over a day, with what it says above it.
  charts = [
    for key in sort(keys(local.alerts)) : {
      type = 10
      name = key
      content = {
        chartId        = key
        version        = "MetricsItem/2.0"
        size           = 0
        chartType      = 2
        resourceType   = lower(local.alerts[key].namespace)
        resourceIds    = [local.alerts[key].scope]
        metricScope    = 0
        timeContext    = { durationMs = 86400000 }
        title          = local.alerts[key].says
        gridSettings   = { rowLimit = 10000 }
        metrics        = [{ namespace = lower(local.alerts[key].namespace), metric = "${lower(local.alerts[key].namespace)}--${local.alerts[key].metric}", aggregation = local.aggregations[local.alerts[key].aggregation] }]
        metricsVersion = 2
      }
    }
  ]

  # The numbers that workbooks have for them.
  aggregations = { Total = 1, Minimum = 2, Maximum = 3, Average = 4, Count = 7 }
}

resource "azurerm_application_insights_workbook" "this" {
  name                = uuidv5("url", "mlops-ci/${var.resource_group_name}/${var.name}")
  display_name        = var.name
  resource_group_name = var.resource_group_name
  location            = var.location
  source_id           = "azure monitor"
  tags                = var.tags

  data_json = jsonencode({
    version = "Notebook/1.0"
    items = concat(
      [{ type = 1, name = "title", content = { json = "## ${var.name}\nWhat mlops-ci's services run on. How good the models are is in mlops-ci's own reports." } }],
      local.charts,
    )
    "$schema" = "https://github.com/Microsoft/Application-Insights-Workbooks/blob/master/schema/workbook.json"
  })
}
