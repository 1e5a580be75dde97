# A load balancer takes minutes to make, so that is where an apply that is killed is most likely to be: made, and in no
# state. With `adopt` it is looked for by its tag and taken over. What else a kill can leave behind is told in README.md.

data "aws_lbs" "there" {
  for_each = var.adopt ? var.environments : {}

  tags = { "mlops-ci:environment" = "${var.name}_${each.key}" }
}

import {
  for_each = { for environment, found in data.aws_lbs.there : environment => one(found.arns) if length(found.arns) == 1 }
  to       = module.environment[each.key].aws_lb.this
  id       = each.value
}
