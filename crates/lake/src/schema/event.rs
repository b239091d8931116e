//! CloudTrail's own events: management, data and network activity events and Insights events.
//!
//! The columns are those of AWS's two schemas, first that for events, then what that for Insights events has
//! besides. `eventContext` is what an event has that is enriched with tags and condition keys; AWS
//! documents the member but no column for it. Where AWS's table differs from its own records, the records
//! count: `credentialsIssuedTo` is written so there, and `attributions`, `insight` and `baseline` are arrays.

use super::field::{Field, double, flag, form, group, integer, list, map, record, rest, text, time};

/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/query-supported-event-schemas.html>
pub(super) const FIELDS: &[Field] = &[
    text(1, "eventVersion"),
    group(
        2,
        "userIdentity",
        &[
            text(43, "type"),
            text(44, "principalId"),
            text(45, "arn"),
            text(46, "accountId"),
            text(47, "accessKeyId"),
            text(48, "userName"),
            group(
                49,
                "sessionContext",
                &[
                    group(54, "attributes", &[time(60, "creationDate"), text(61, "mfaAuthenticated")]),
                    group(
                        55,
                        "sessionIssuer",
                        &[
                            text(62, "type"),
                            text(63, "principalId"),
                            text(64, "arn"),
                            text(65, "accountId"),
                            text(66, "userName"),
                        ],
                    ),
                    group(
                        56,
                        "webIdFederationData",
                        &[text(67, "federatedProvider"), map(68, "attributes", 69, 70)],
                    ),
                    text(57, "sourceIdentity"),
                    text(58, "ec2RoleDelivery"),
                    text(59, "ec2IssuedInVpc"),
                ],
            ),
            group(50, "onBehalfOf", &[text(71, "userId"), text(72, "identityStoreArn")]),
            group(
                51,
                "inScopeOf",
                &[
                    text(73, "sourceArn"),
                    text(74, "sourceAccount"),
                    text(75, "issuerType"),
                    text(76, "credentialsIssuedTo"),
                ],
            ),
            text(52, "invokedBy"),
            text(53, "identityProvider"),
        ],
    ),
    time(3, "eventTime").required(),
    text(4, "eventSource"),
    text(5, "eventName"),
    text(6, "awsRegion"),
    text(7, "sourceIPAddress"),
    text(8, "userAgent"),
    text(9, "errorCode"),
    text(10, "errorMessage"),
    map(11, "requestParameters", 77, 78),
    map(12, "responseElements", 79, 80),
    map(13, "additionalEventData", 81, 82),
    text(14, "requestID"),
    text(15, "eventID").required(),
    flag(16, "readOnly"),
    list(
        17,
        "resources",
        83,
        &[text(84, "accountId"), text(85, "type"), text(86, "ARN"), text(87, "ARNPrefix")],
    ),
    text(18, "eventType"),
    text(19, "apiVersion"),
    flag(20, "managementEvent"),
    text(21, "recipientAccountId"),
    text(22, "sharedEventID"),
    text(23, "annotation"),
    text(24, "vpcEndpointId"),
    text(25, "vpcEndpointAccountId"),
    map(26, "serviceEventDetails", 88, 89),
    map(27, "addendum", 90, 91),
    map(28, "edgeDeviceDetails", 92, 93),
    map(29, "insightDetails", 94, 95),
    text(30, "eventCategory"),
    group(
        31,
        "tlsDetails",
        &[text(96, "tlsVersion"), text(97, "cipherSuite"), text(98, "clientProvidedHostHeader")],
    ),
    text(32, "sessionCredentialFromConsole"),
    record(33),
    text(34, "eventJsonChecksum"),
    text(35, "insightSource"),
    text(36, "insightState"),
    text(37, "insightEventSource"),
    text(38, "insightEventName"),
    text(39, "insightErrorCode"),
    text(40, "insightType"),
    group(
        41,
        "insightContext",
        &[
            double(99, "baselineAverage"),
            double(100, "insightAverage"),
            integer(101, "baselineDuration"),
            integer(102, "insightDuration"),
            list(
                103,
                "attributions",
                104,
                &[
                    text(105, "attribute"),
                    text(106, "insightValue"),
                    double(107, "insightAverage"),
                    text(108, "baselineValue"),
                    double(109, "baselineAverage"),
                    list(110, "insight", 112, &[text(113, "value"), double(114, "average")]),
                    list(111, "baseline", 115, &[text(116, "value"), double(117, "average")]),
                ],
            ),
        ],
    ),
    map(42, "eventContext", 118, 119),
    form(120),
    rest(121),
];
