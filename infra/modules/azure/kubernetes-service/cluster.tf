resource "azurerm_kubernetes_cluster" "this" {
  # checkov:skip=CKV_AZURE_227: By `host_encryption`, on unless told otherwise: the subscription has to have the feature.
  # checkov:skip=CKV_AZURE_115: Private where `api.private` says so; otherwise only from `api.authorized_ranges`, which may not be empty.
  # checkov:skip=CKV_AZURE_117: Disks of nodes are ephemeral and encrypted on the host; nothing is kept on them.
  name                = var.name
  resource_group_name = var.resource_group_name
  location            = var.location
  dns_prefix          = var.name
  kubernetes_version  = var.kubernetes_version
  sku_tier            = "Standard"
  tags                = var.tags

  # People and pipelines are of Entra ID, and their rights are Azure's: there is no administrator's certificate.
  local_account_disabled            = true
  role_based_access_control_enabled = true
  run_command_enabled               = false

  # What runs here gets an identity of its own by a federated token, and no secret.
  oidc_issuer_enabled       = true
  workload_identity_enabled = true

  private_cluster_enabled             = var.api.private
  private_cluster_public_fqdn_enabled = false

  azure_policy_enabled         = true
  image_cleaner_enabled        = true
  image_cleaner_interval_hours = 48
  automatic_upgrade_channel    = "patch"
  node_os_upgrade_channel      = "NodeImage"

  azure_active_directory_role_based_access_control {
    azure_rbac_enabled     = true
    admin_group_object_ids = var.admin_group_ids
  }

  dynamic "api_server_access_profile" {
    for_each = var.api.private ? [] : [true]
    content {
      authorized_ip_ranges = var.api.authorized_ranges
    }
  }

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.cluster.id]
  }

  kubelet_identity {
    user_assigned_identity_id = var.pull_identity.id
    client_id                 = var.pull_identity.client_id
    object_id                 = var.pull_identity.principal_id
  }

  network_profile {
    network_plugin      = "azure"
    network_plugin_mode = "overlay"
    network_policy      = "cilium"
    network_data_plane  = "cilium"
    load_balancer_sku   = "standard"
    outbound_type       = var.outbound_type
    pod_cidr            = var.pod_cidr
    service_cidr        = var.service_cidr
    dns_service_ip      = cidrhost(var.service_cidr, 10)
  }

  # For the cluster's own services; models are on a pool of their own.
  default_node_pool {
    name                         = "system"
    vm_size                      = var.system_vm_size
    vnet_subnet_id               = var.subnet_id
    only_critical_addons_enabled = true
    auto_scaling_enabled         = true
    min_count                    = 2
    max_count                    = 4
    max_pods                     = 110
    os_disk_type                 = "Ephemeral"
    os_disk_size_gb              = 64 # it has to fit onto the machine's own disk, 75 GB with two cores
    os_sku                       = "AzureLinux"
    zones                        = var.zones
    host_encryption_enabled      = var.host_encryption
    node_public_ip_enabled       = false
    temporary_name_for_rotation  = "systemtmp"
    tags                         = var.tags

    upgrade_settings {
      max_surge = "33%"
    }
  }

  key_vault_secrets_provider {
    secret_rotation_enabled  = true
    secret_rotation_interval = "2m"
  }

  dynamic "oms_agent" {
    for_each = var.log_analytics == null ? [] : [var.log_analytics.workspace_id]
    content {
      log_analytics_workspace_id      = oms_agent.value
      msi_auth_for_monitoring_enabled = true
    }
  }

  dynamic "microsoft_defender" {
    for_each = var.defender ? [var.log_analytics.workspace_id] : []
    content {
      log_analytics_workspace_id = microsoft_defender.value
    }
  }

  lifecycle {
    # Azure raises the patch version by itself.
    ignore_changes = [kubernetes_version, default_node_pool[0].orchestrator_version]
  }

  depends_on = [azurerm_role_assignment.subnet, azurerm_role_assignment.nodes]
}

resource "azurerm_kubernetes_cluster_node_pool" "models" {
  # checkov:skip=CKV_AZURE_227: By `host_encryption`, on unless told otherwise: the subscription has to have the feature.
  name                        = "models"
  kubernetes_cluster_id       = azurerm_kubernetes_cluster.this.id
  mode                        = "User"
  vm_size                     = var.nodes.vm_size
  vnet_subnet_id              = var.subnet_id
  auto_scaling_enabled        = true
  min_count                   = var.nodes.min
  max_count                   = var.nodes.max
  max_pods                    = 110
  os_disk_type                = "Ephemeral"
  os_disk_size_gb             = var.nodes.disk_gb
  os_sku                      = "AzureLinux"
  zones                       = var.zones
  host_encryption_enabled     = var.host_encryption
  node_public_ip_enabled      = false
  temporary_name_for_rotation = "modelstmp"
  tags                        = var.tags

  upgrade_settings {
    max_surge = "33%"
  }
}

resource "azurerm_monitor_diagnostic_setting" "this" {
  count                      = var.log_analytics == null ? 0 : 1
  name                       = "who-asked-for-what"
  target_resource_id         = azurerm_kubernetes_cluster.this.id
  log_analytics_workspace_id = var.log_analytics.workspace_id

  dynamic "enabled_log" {
    for_each = ["kube-audit-admin", "guard"]
    content {
      category = enabled_log.value
    }
  }
}
