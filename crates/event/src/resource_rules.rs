//! Which members of a service's requests and responses name a resource, and of which type.

/// A string member that names a resource.
pub(crate) struct Rule {
    /// The member's name.
    member: &'static str,
    /// The name of the object that the member must stand in; any when `None`.
    within: Option<&'static str>,
    /// What the event's name must contain; anything when empty.
    event: &'static str,
    /// The resource's type, in CloudFormation's words as AWS has it.
    pub(crate) kind: &'static str,
}

impl Rule {
    pub(crate) fn fits(&self, event: &str, parent: Option<&[u8]>, member: &[u8]) -> bool {
        member == self.member.as_bytes()
            && self.within.is_none_or(|within| parent == Some(within.as_bytes()))
            && event.contains(self.event)
    }
}

const fn named(member: &'static str, kind: &'static str) -> Rule {
    Rule { member, within: None, event: "", kind }
}

const fn within(within: &'static str, member: &'static str, kind: &'static str) -> Rule {
    Rule { member, within: Some(within), event: "", kind }
}

const fn of_event(event: &'static str, member: &'static str, kind: &'static str) -> Rule {
    Rule { member, within: None, event, kind }
}

/// The rules of an event source; the first that fits decides.
pub(crate) fn rules_of(source: &str) -> &'static [Rule] {
    match source.strip_suffix(".amazonaws.com").unwrap_or(source) {
        "cloudtrail" => CLOUDTRAIL,
        "dynamodb" => DYNAMODB,
        "ec2" => EC2,
        "events" => EVENTS,
        "iam" => IAM,
        "kms" => KMS,
        "lambda" => LAMBDA,
        "logs" => LOGS,
        "monitoring" => MONITORING,
        "organizations" => ORGANIZATIONS,
        "rds" => RDS,
        "s3" => S3,
        "secretsmanager" => SECRETSMANAGER,
        "sns" => SNS,
        "sqs" => SQS,
        "ssm" => SSM,
        "sts" => STS,
        _ => &[],
    }
}

const CLOUDTRAIL: &[Rule] = &[
    of_event("Trail", "name", "AWS::CloudTrail::Trail"),
    of_event("Logging", "name", "AWS::CloudTrail::Trail"),
    of_event("EventDataStore", "name", "AWS::CloudTrail::EventDataStore"),
    named("trailARN", "AWS::CloudTrail::Trail"),
    named("trailName", "AWS::CloudTrail::Trail"),
    named("trailNameList", "AWS::CloudTrail::Trail"),
    named("s3BucketName", "AWS::S3::Bucket"),
    named("snsTopicName", "AWS::SNS::Topic"),
    named("snsTopicARN", "AWS::SNS::Topic"),
    named("kmsKeyId", "AWS::KMS::Key"),
    named("cloudWatchLogsLogGroupArn", "AWS::Logs::LogGroup"),
    named("cloudWatchLogsRoleArn", "AWS::IAM::Role"),
    named("eventDataStore", "AWS::CloudTrail::EventDataStore"),
    named("eventDataStoreArn", "AWS::CloudTrail::EventDataStore"),
];

const DYNAMODB: &[Rule] = &[
    named("tableName", "AWS::DynamoDB::Table"),
    named("tableArn", "AWS::DynamoDB::Table"),
    named("backupArn", "AWS::DynamoDB::Backup"),
];

const EC2: &[Rule] = &[
    named("instanceId", "AWS::EC2::Instance"),
    named("imageId", "AWS::EC2::Ami"),
    named("vpcId", "AWS::EC2::VPC"),
    named("subnetId", "AWS::EC2::Subnet"),
    named("groupId", "AWS::EC2::SecurityGroup"),
    named("groupName", "AWS::EC2::SecurityGroup"),
    named("networkInterfaceId", "AWS::EC2::NetworkInterface"),
    named("volumeId", "AWS::EC2::Volume"),
    named("snapshotId", "AWS::EC2::Snapshot"),
    named("keyName", "AWS::EC2::KeyPair"),
    named("allocationId", "AWS::EC2::EIP"),
    named("publicIp", "AWS::EC2::EIP"),
    named("routeTableId", "AWS::EC2::RouteTable"),
    named("internetGatewayId", "AWS::EC2::InternetGateway"),
    named("natGatewayId", "AWS::EC2::NatGateway"),
    named("networkAclId", "AWS::EC2::NetworkAcl"),
    named("vpcEndpointId", "AWS::EC2::VPCEndpoint"),
    named("launchTemplateId", "AWS::EC2::LaunchTemplate"),
    named("flowLogId", "AWS::EC2::FlowLog"),
];

const EVENTS: &[Rule] = &[
    named("ruleArn", "AWS::Events::Rule"),
    of_event("Rule", "name", "AWS::Events::Rule"),
    named("rule", "AWS::Events::Rule"),
    named("eventBusName", "AWS::Events::EventBus"),
];

const IAM: &[Rule] = &[
    named("userName", "AWS::IAM::User"),
    named("roleName", "AWS::IAM::Role"),
    named("groupName", "AWS::IAM::Group"),
    named("policyArn", "AWS::IAM::Policy"),
    named("policyName", "AWS::IAM::Policy"),
    named("instanceProfileName", "AWS::IAM::InstanceProfile"),
    named("accessKeyId", "AWS::IAM::AccessKey"),
    named("serialNumber", "AWS::IAM::MfaDevice"),
    named("virtualMFADeviceName", "AWS::IAM::MfaDevice"),
    named("sAMLProviderArn", "AWS::IAM::SamlProvider"),
    named("openIDConnectProviderArn", "AWS::IAM::OidcProvider"),
    named("serverCertificateName", "AWS::IAM::ServerCertificate"),
    within("user", "arn", "AWS::IAM::User"),
    within("user", "userId", "AWS::IAM::User"),
    within("role", "arn", "AWS::IAM::Role"),
    within("role", "roleId", "AWS::IAM::Role"),
    within("group", "arn", "AWS::IAM::Group"),
    within("group", "groupId", "AWS::IAM::Group"),
    within("policy", "arn", "AWS::IAM::Policy"),
    within("policy", "policyId", "AWS::IAM::Policy"),
    within("instanceProfile", "arn", "AWS::IAM::InstanceProfile"),
];

const KMS: &[Rule] = &[
    named("keyId", "AWS::KMS::Key"),
    named("targetKeyId", "AWS::KMS::Key"),
    named("aliasName", "AWS::KMS::Alias"),
    within("keyMetadata", "arn", "AWS::KMS::Key"),
];

const LAMBDA: &[Rule] = &[
    named("functionName", "AWS::Lambda::Function"),
    named("functionArn", "AWS::Lambda::Function"),
    named("layerName", "AWS::Lambda::LayerVersion"),
    named("layerVersionArn", "AWS::Lambda::LayerVersion"),
    named("role", "AWS::IAM::Role"),
];

const LOGS: &[Rule] = &[
    named("logGroupName", "AWS::Logs::LogGroup"),
    named("logGroupIdentifier", "AWS::Logs::LogGroup"),
    named("logStreamName", "AWS::Logs::LogStream"),
    named("destinationName", "AWS::Logs::Destination"),
];

const MONITORING: &[Rule] = &[
    named("alarmName", "AWS::CloudWatch::Alarm"),
    named("alarmNames", "AWS::CloudWatch::Alarm"),
    named("dashboardName", "AWS::CloudWatch::Dashboard"),
];

const ORGANIZATIONS: &[Rule] = &[
    named("accountId", "AWS::Organizations::Account"),
    named("policyId", "AWS::Organizations::Policy"),
    named("organizationalUnitId", "AWS::Organizations::OrganizationalUnit"),
];

const RDS: &[Rule] = &[
    named("dBInstanceIdentifier", "AWS::RDS::DBInstance"),
    named("dBInstanceArn", "AWS::RDS::DBInstance"),
    named("dBClusterIdentifier", "AWS::RDS::DBCluster"),
    named("dBSnapshotIdentifier", "AWS::RDS::DBSnapshot"),
    named("dBSnapshotArn", "AWS::RDS::DBSnapshot"),
    named("dBSubnetGroupName", "AWS::RDS::DBSubnetGroup"),
    named("dBParameterGroupName", "AWS::RDS::DBParameterGroup"),
];

const S3: &[Rule] = &[named("bucketName", "AWS::S3::Bucket")];

const SECRETSMANAGER: &[Rule] = &[
    named("secretId", "AWS::SecretsManager::Secret"),
    named("aRN", "AWS::SecretsManager::Secret"),
    named("arn", "AWS::SecretsManager::Secret"),
    named("name", "AWS::SecretsManager::Secret"),
];

const SNS: &[Rule] = &[
    named("topicArn", "AWS::SNS::Topic"),
    named("subscriptionArn", "AWS::SNS::Subscription"),
    of_event("CreateTopic", "name", "AWS::SNS::Topic"),
];

const SQS: &[Rule] = &[named("queueUrl", "AWS::SQS::Queue"), named("queueName", "AWS::SQS::Queue")];

const SSM: &[Rule] = &[
    named("documentName", "AWS::SSM::Document"),
    of_event("Parameter", "name", "AWS::SSM::Parameter"),
    of_event("Parameter", "names", "AWS::SSM::Parameter"),
    of_event("Document", "name", "AWS::SSM::Document"),
    named("instanceIds", "AWS::EC2::Instance"),
    of_event("Session", "target", "AWS::EC2::Instance"),
];

const STS: &[Rule] = &[
    within("credentials", "accessKeyId", "AWS::IAM::AccessKey"),
    named("roleSessionName", "AWS::STS::AssumedRole"),
    named("assumedRoleId", "AWS::STS::AssumedRole"),
    within("assumedRoleUser", "arn", "AWS::STS::AssumedRole"),
    named("roleArn", "AWS::IAM::Role"),
    within("federatedUser", "arn", "AWS::STS::FederatedUser"),
    within("federatedUser", "federatedUserId", "AWS::STS::FederatedUser"),
];
