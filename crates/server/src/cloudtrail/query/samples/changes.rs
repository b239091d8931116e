//! Sample queries about what was made, changed and deleted.

use super::Sample;

pub(super) static SAMPLES: &[Sample] = &[
    Sample {
        name: "Access keys created",
        description: "New access keys: for whom, by whom and when.",
        words: "CreateAccessKey credentials iam new secret",
        sql: "SELECT eventTime, userIdentity.arn AS made_by, element_at(requestParameters, 'userName') AS user_name\n\
              FROM $EDS_ID\n\
              WHERE eventName = 'CreateAccessKey' AND errorCode IS NULL\n\
              ORDER BY eventTime DESC",
    },
    Sample {
        name: "IAM users created or deleted",
        description: "Who made or deleted IAM users.",
        words: "CreateUser DeleteUser identity new account",
        sql: "SELECT eventTime, userIdentity.arn AS by_principal, eventName,\n\
              element_at(requestParameters, 'userName') AS user_name\n\
              FROM $EDS_ID\n\
              WHERE eventSource = 'iam.amazonaws.com' AND eventName IN ('CreateUser', 'DeleteUser')\n\
              AND errorCode IS NULL\n\
              ORDER BY eventTime DESC",
    },
    Sample {
        name: "Changes of IAM policies",
        description: "Policies that were written, attached, detached or deleted.",
        words: "permission privilege escalation AttachUserPolicy PutRolePolicy CreatePolicyVersion modified",
        sql: "SELECT eventTime, userIdentity.arn, eventName, requestParameters\n\
              FROM $EDS_ID\n\
              WHERE eventSource = 'iam.amazonaws.com' AND regexp_like(eventName, 'Policy') AND readOnly = false\n\
              AND errorCode IS NULL\n\
              ORDER BY eventTime DESC",
    },
    Sample {
        name: "Administrator access granted",
        description: "Users, groups and roles to which the policy AdministratorAccess was attached.",
        words: "admin privilege escalation attach",
        sql: "SELECT eventTime, userIdentity.arn AS by_principal, eventName, coalesce(\n\
              element_at(requestParameters, 'userName'), element_at(requestParameters, 'groupName'),\n\
              element_at(requestParameters, 'roleName')) AS subject\n\
              FROM $EDS_ID\n\
              WHERE eventName IN ('AttachUserPolicy', 'AttachGroupPolicy', 'AttachRolePolicy')\n\
              AND element_at(requestParameters, 'policyArn') LIKE '%:policy/AdministratorAccess'\n\
              ORDER BY eventTime DESC",
    },
    Sample {
        name: "Deleted buckets",
        description: "Who deleted S3 buckets.",
        words: "DeleteBucket s3 storage removed bucket",
        sql: "SELECT eventTime, userIdentity.arn, element_at(requestParameters, 'bucketName') AS bucket\n\
              FROM $EDS_ID\n\
              WHERE eventName = 'DeleteBucket' AND errorCode IS NULL\n\
              ORDER BY eventTime DESC",
    },
    Sample {
        name: "Changes of bucket policies and public access",
        description: "Bucket policies, ACLs and public access blocks that were set or removed.",
        words: "s3 exposure open PutBucketPolicy PutBucketAcl PublicAccessBlock",
        sql: "SELECT eventTime, userIdentity.arn, eventName, element_at(requestParameters, 'bucketName') AS bucket\n\
              FROM $EDS_ID\n\
              WHERE eventSource = 's3.amazonaws.com' AND eventName IN ('PutBucketPolicy', 'DeleteBucketPolicy',\n\
              'PutBucketAcl', 'PutBucketPublicAccessBlock', 'DeleteBucketPublicAccessBlock')\n\
              ORDER BY eventTime DESC",
    },
    Sample {
        name: "Deleted objects",
        description: "Objects that were deleted from one bucket, where data events are kept. Parameter: the bucket.",
        words: "s3 DeleteObject file removed data",
        sql: "SELECT eventTime, userIdentity.arn, element_at(requestParameters, 'key') AS object_key\n\
              FROM $EDS_ID\n\
              WHERE eventName IN ('DeleteObject', 'DeleteObjects')\n\
              AND element_at(requestParameters, 'bucketName') = ?\n\
              ORDER BY eventTime DESC",
    },
    Sample {
        name: "Security groups opened to the world",
        description: "Rules of security groups that let in every address.",
        words: "ec2 network firewall AuthorizeSecurityGroupIngress 0.0.0.0/0 inbound",
        sql: "SELECT eventTime, userIdentity.arn, element_at(requestParameters, 'groupId') AS security_group,\n\
              element_at(requestParameters, 'ipPermissions') AS permissions\n\
              FROM $EDS_ID\n\
              WHERE eventName = 'AuthorizeSecurityGroupIngress'\n\
              AND (element_at(requestParameters, 'ipPermissions') LIKE '%0.0.0.0/0%'\n\
              OR element_at(requestParameters, 'ipPermissions') LIKE '%::/0%')\n\
              ORDER BY eventTime DESC",
    },
    Sample {
        name: "Changes of the network",
        description: "Virtual private clouds, subnets, routes, gateways and network access lists that were changed.",
        words: "vpc route table nacl subnet internet gateway peering",
        sql: "SELECT eventTime, userIdentity.arn, eventName, awsRegion\n\
              FROM $EDS_ID\n\
              WHERE eventSource = 'ec2.amazonaws.com' AND readOnly = false\n\
              AND regexp_like(eventName, 'Vpc|Subnet|Route|Gateway|NetworkAcl')\n\
              ORDER BY eventTime DESC",
    },
    Sample {
        name: "Instances launched and terminated",
        description: "EC2 instances that were started, stopped or terminated, and by whom.",
        words: "ec2 RunInstances TerminateInstances StopInstances virtual machine server",
        sql: "SELECT eventTime, userIdentity.arn, eventName, awsRegion, errorCode\n\
              FROM $EDS_ID\n\
              WHERE eventName IN ('RunInstances', 'StartInstances', 'StopInstances', 'TerminateInstances')\n\
              ORDER BY eventTime DESC",
    },
    Sample {
        name: "Deletions of any kind",
        description: "Calls in the last day that deleted, terminated or removed something, by principal.",
        words: "destroyed removed terminated delete",
        sql: "SELECT userIdentity.arn, eventSource, eventName, count(*) AS calls\n\
              FROM $EDS_ID\n\
              WHERE regexp_like(eventName, '^(Delete|Terminate|Remove|Destroy)') AND errorCode IS NULL\n\
              AND eventTime > date_add('day', -1, now())\n\
              GROUP BY userIdentity.arn, eventSource, eventName\n\
              ORDER BY calls DESC",
    },
    Sample {
        name: "Changes by one principal",
        description: "What one principal changed. Parameter: its ARN, or a part of it between percent signs.",
        words: "user role did modified write",
        sql: "SELECT eventTime, eventSource, eventName, awsRegion, requestParameters\n\
              FROM $EDS_ID\n\
              WHERE userIdentity.arn LIKE ? AND readOnly = false\n\
              ORDER BY eventTime DESC",
    },
    Sample {
        name: "MFA devices removed",
        description: "MFA devices that were deactivated or deleted.",
        words: "multi factor authentication DeactivateMFADevice DeleteVirtualMFADevice second factor",
        sql: "SELECT eventTime, userIdentity.arn, eventName, element_at(requestParameters, 'userName') AS user_name\n\
              FROM $EDS_ID\n\
              WHERE eventName IN ('DeactivateMFADevice', 'DeleteVirtualMFADevice')\n\
              ORDER BY eventTime DESC",
    },
    Sample {
        name: "Secrets read",
        description: "Who read secrets and parameters, how often, and when last.",
        words: "secretsmanager GetSecretValue ssm GetParameter password credentials",
        sql: "SELECT userIdentity.arn, coalesce(element_at(requestParameters, 'secretId'),\n\
              element_at(requestParameters, 'name')) AS secret, count(*) AS calls, max(eventTime) AS last\n\
              FROM $EDS_ID\n\
              WHERE eventName IN ('GetSecretValue', 'GetParameter', 'GetParameters')\n\
              GROUP BY userIdentity.arn, coalesce(element_at(requestParameters, 'secretId'),\n\
              element_at(requestParameters, 'name'))\n\
              ORDER BY calls DESC",
    },
];
