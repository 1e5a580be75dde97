locals {
  place = "${var.serving.environment}/${var.serving.model}"
  host  = "${var.serving.model}.${var.serving.environment}"

  # What a person reads of a release's id; also in the path that the release answers at by itself.
  short = { for id in keys(var.serving.releases) : id => substr(id, 0, 12) }

  # The release with all the traffic, where there is one yet.
  serving = one([for id, release in var.serving.releases : id if release.share == 100])
}
