//! Events from outside AWS, which come in through channels.
//!
//! `errorMessage` is written as in the events; AWS's table leaves out an `e`.

use super::field::{Field, form, group, map, record, rest, text, time};

/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/query-supported-event-schemas.html>
pub(super) const FIELDS: &[Field] = &[
    text(1, "eventVersion"),
    text(2, "eventCategory"),
    text(3, "eventType"),
    text(4, "eventID").required(),
    time(5, "eventTime").required(),
    text(6, "awsRegion"),
    text(7, "recipientAccountId"),
    group(
        8,
        "addendum",
        &[
            text(12, "reason"),
            text(13, "updatedFields"),
            text(14, "originalUID"),
            text(15, "originalEventID"),
        ],
    ),
    group(9, "metadata", &[text(16, "ingestionTime"), text(17, "channelARN")]),
    group(
        10,
        "eventData",
        &[
            text(18, "version"),
            group(
                19,
                "userIdentity",
                &[text(32, "type"), text(33, "principalId"), map(34, "details", 35, 36)],
            ),
            text(20, "userAgent"),
            text(21, "eventSource"),
            text(22, "eventName"),
            text(23, "eventTime"),
            text(24, "UID"),
            map(25, "requestParameters", 37, 38),
            map(26, "responseElements", 39, 40),
            text(27, "errorCode"),
            text(28, "errorMessage"),
            text(29, "sourceIPAddress"),
            text(30, "recipientAccountId"),
            map(31, "additionalEventData", 41, 42),
        ],
    ),
    record(11),
    form(43),
    rest(44),
];
