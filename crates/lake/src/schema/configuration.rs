//! AWS Config's configuration items.
//!
//! `relationships` is an array as in the items, where AWS's table has one struct.

use super::field::{Field, form, group, list, map, record, rest, text, time};

/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/query-supported-event-schemas.html>
pub(super) const FIELDS: &[Field] = &[
    text(1, "eventVersion"),
    text(2, "eventCategory"),
    text(3, "eventType"),
    text(4, "eventID").required(),
    time(5, "eventTime").required(),
    text(6, "awsRegion"),
    text(7, "recipientAccountId"),
    map(8, "addendum", 11, 12),
    group(
        9,
        "eventData",
        &[
            text(13, "configurationItemVersion"),
            text(14, "configurationItemCaptureTime"),
            text(15, "configurationItemStatus"),
            text(16, "configurationItemStateId").also("configurationStateId"),
            text(17, "accountId").also("awsAccountId"),
            text(18, "resourceType"),
            text(19, "resourceId"),
            text(20, "resourceName"),
            text(21, "arn").also("ARN"),
            text(22, "awsRegion"),
            text(23, "availabilityZone"),
            text(24, "resourceCreationTime"),
            map(25, "configuration", 30, 31),
            map(26, "supplementaryConfiguration", 32, 33),
            text(27, "relatedEvents"),
            list(
                28,
                "relationships",
                34,
                &[
                    text(35, "name").also("relationshipName"),
                    text(36, "resourceType"),
                    text(37, "resourceId"),
                    text(38, "resourceName"),
                ],
            ),
            map(29, "tags", 39, 40).also("Tags"),
        ],
    ),
    record(10),
    form(41),
    rest(42),
];
