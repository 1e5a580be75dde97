resource "azurerm_virtual_network" "this" {
  name                = var.name
  resource_group_name = module.group.name
  location            = module.group.location
  address_space       = [var.address_space]
  tags                = local.tags
}

resource "azurerm_subnet" "nodes" {
  name                 = "nodes"
  resource_group_name  = module.group.name
  virtual_network_name = azurerm_virtual_network.this.name
  address_prefixes     = [cidrsubnet(var.address_space, 4, 0)]
}

resource "azurerm_subnet" "groups" {
  name                 = "groups"
  resource_group_name  = module.group.name
  virtual_network_name = azurerm_virtual_network.this.name
  address_prefixes     = [cidrsubnet(var.address_space, 8, 16)]

  delegation {
    name = "container-groups"

    service_delegation {
      name    = "Microsoft.ContainerInstance/containerGroups"
      actions = ["Microsoft.Network/virtualNetworks/subnets/action"]
    }
  }
}

# QA's services are asked by those who are named, on their one port, and by nobody else.
resource "azurerm_network_security_group" "groups" {
  name                = "${var.name}-groups"
  resource_group_name = module.group.name
  location            = module.group.location
  tags                = local.tags

  security_rule = [
    {
      name                                       = "clients"
      description                                = "Those who may ask QA's services"
      priority                                   = 100
      direction                                  = "Inbound"
      access                                     = "Allow"
      protocol                                   = "Tcp"
      source_address_prefixes                    = var.clients
      source_port_range                          = "*"
      destination_address_prefix                 = cidrsubnet(var.address_space, 8, 16)
      destination_port_range                     = "8080"
      source_address_prefix                      = null
      source_application_security_group_ids      = null
      source_port_ranges                         = null
      destination_address_prefixes               = null
      destination_application_security_group_ids = null
      destination_port_ranges                    = null
    },
    {
      name                                       = "nobody-else"
      description                                = "Everybody else"
      priority                                   = 4000
      direction                                  = "Inbound"
      access                                     = "Deny"
      protocol                                   = "*"
      source_address_prefix                      = "*"
      source_port_range                          = "*"
      destination_address_prefix                 = "*"
      destination_port_range                     = "*"
      source_address_prefixes                    = null
      source_application_security_group_ids      = null
      source_port_ranges                         = null
      destination_address_prefixes               = null
      destination_application_security_group_ids = null
      destination_port_ranges                    = null
    },
  ]
}

resource "azurerm_subnet_network_security_group_association" "groups" {
  subnet_id                 = azurerm_subnet.groups.id
  network_security_group_id = azurerm_network_security_group.groups.id
}

# The nodes' rules are Azure's own, within the network, and those that load balancers of services add.
resource "azurerm_network_security_group" "nodes" {
  name                = "${var.name}-nodes"
  resource_group_name = module.group.name
  location            = module.group.location
  tags                = local.tags
}

resource "azurerm_subnet_network_security_group_association" "nodes" {
  subnet_id                 = azurerm_subnet.nodes.id
  network_security_group_id = azurerm_network_security_group.nodes.id
}

resource "azurerm_private_dns_zone" "this" {
  name                = var.domain
  resource_group_name = module.group.name
  tags                = local.tags
}

resource "azurerm_private_dns_zone_virtual_network_link" "this" {
  name                  = var.name
  resource_group_name   = module.group.name
  private_dns_zone_name = azurerm_private_dns_zone.this.name
  virtual_network_id    = azurerm_virtual_network.this.id
  tags                  = local.tags
}
