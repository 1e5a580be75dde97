# What nobody may do, whatever else a policy of IAM allows: the roles' own policies say who may do what.
locals {
  objects = "${aws_s3_bucket.this.arn}/*"

  denied = [
    {
      Sid       = "WithoutTls"
      Action    = "s3:*"
      Resource  = [aws_s3_bucket.this.arn, local.objects]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    },
    {
      Sid       = "WithOldTls"
      Action    = "s3:*"
      Resource  = [aws_s3_bucket.this.arn, local.objects]
      Condition = { NumericLessThan = { "s3:TlsVersion" = "1.2" } }
    },
    {
      # Every write says `If-None-Match: *`, and S3 refuses it where there is something. No copies, no uploads in parts.
      Sid       = "Overwrite"
      Action    = "s3:PutObject"
      Resource  = [local.objects]
      Condition = { Null = { "s3:if-none-match" = "true" } }
    },
    {
      # The store names no encryption, so that the bucket's own applies. `Null` comes first, since a condition that
      # negates holds where the key is missing.
      Sid       = "OtherEncryption"
      Action    = "s3:PutObject"
      Resource  = [local.objects]
      Condition = { Null = { "s3:x-amz-server-side-encryption" = "false" }, StringNotEquals = { "s3:x-amz-server-side-encryption" = "aws:kms" } }
    },
    {
      Sid      = "OtherKey"
      Action   = "s3:PutObject"
      Resource = [local.objects]
      Condition = {
        Null            = { "s3:x-amz-server-side-encryption-aws-kms-key-id" = "false" }
        StringNotEquals = { "s3:x-amz-server-side-encryption-aws-kms-key-id" = var.kms_key_arn }
      }
    },
    {
      Sid       = "KeyOfTheCaller"
      Action    = "s3:PutObject"
      Resource  = [local.objects]
      Condition = { Null = { "s3:x-amz-server-side-encryption-customer-algorithm" = "false" } }
    },
    {
      Sid       = "Removal"
      Action    = ["s3:DeleteObject", "s3:DeleteObjectVersion"]
      Resource  = [local.objects]
      Condition = length(var.cleaner_role_arns) == 0 ? {} : { ArnNotEquals = { "aws:PrincipalArn" = var.cleaner_role_arns } }
    },
  ]
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket_public_access_block.this.bucket

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      for each in local.denied : {
        for key, value in merge({ Effect = "Deny", Principal = "*" }, each) : key => value if value != {}
      }
    ]
  })
}
