//! Amazon Resource Names.

use std::{cmp::Ordering, fmt, hash, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::name::InvalidNameError;

/// A resource's name: `arn:partition:service:region:account:resource`.
///
/// Region and account may be empty; the resource may have colons and slashes of its own. At most
/// [`Arn::MAX_LEN`] bytes, no control characters. Cheap to clone.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Arn {
    text: Arc<str>,
    /// The offsets of the colons after `arn`: before service, region, account, resource.
    colons: [u16; 4],
}

impl Arn {
    /// The longest ARN: AWS's APIs take 2,048 characters at most (IAM `arnType`).
    pub const MAX_LEN: usize = 2048;

    /// An ARN of its parts.
    ///
    /// # Errors
    /// If a part other than the resource has a colon, or the whole is not an ARN.
    pub fn new(
        partition: &str,
        service: &str,
        region: &str,
        account: &str,
        resource: &str,
    ) -> Result<Self, InvalidNameError> {
        let arn: Self = format!("arn:{partition}:{service}:{region}:{account}:{resource}").parse()?;
        let as_given = arn.partition() == partition
            && arn.service() == service
            && arn.region() == region
            && arn.account() == account;
        if as_given { Ok(arn) } else { Err(InvalidNameError::new(&arn.text, "an ARN of these parts")) }
    }

    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `aws`, `aws-cn`, `aws-us-gov`, …
    pub fn partition(&self) -> &str {
        self.part(3, self.colons[0])
    }

    /// The service's name, such as `s3`.
    pub fn service(&self) -> &str {
        self.part(self.colons[0], self.colons[1])
    }

    /// The region, empty for global resources.
    pub fn region(&self) -> &str {
        self.part(self.colons[1], self.colons[2])
    }

    /// The account, empty for resources such as buckets.
    pub fn account(&self) -> &str {
        self.part(self.colons[2], self.colons[3])
    }

    /// All after the fifth colon.
    pub fn resource(&self) -> &str {
        self.text.get(usize::from(self.colons[3]) + 1..).unwrap_or_default()
    }

    /// The resource's type, when the resource is `type/id` or `type:id`.
    pub fn resource_type(&self) -> Option<&str> {
        self.resource().split_once(['/', ':']).map(|(kind, _)| kind)
    }

    /// The resource without its type; the whole resource when it has none.
    pub fn resource_id(&self) -> &str {
        self.resource().split_once(['/', ':']).map_or(self.resource(), |(_, id)| id)
    }

    fn part(&self, colon: u16, next: u16) -> &str {
        self.text.get(usize::from(colon) + 1..usize::from(next)).unwrap_or_default()
    }
}

impl FromStr for Arn {
    type Err = InvalidNameError;

    fn from_str(value: &str) -> Result<Self, Self::Err> {
        let invalid =
            || InvalidNameError::new(value, "an ARN (arn:partition:service:region:account:resource)");
        if value.len() > Self::MAX_LEN || value.chars().any(char::is_control) {
            return Err(invalid());
        }
        let rest = value.strip_prefix("arn:").ok_or_else(invalid)?;
        let mut colons = [0u16; 4];
        let mut found = rest.bytes().enumerate().filter(|(_, byte)| *byte == b':').map(|(at, _)| at + 4);
        for colon in &mut colons {
            *colon = found.next().and_then(|at| u16::try_from(at).ok()).ok_or_else(invalid)?;
        }
        let arn = Self { text: Arc::from(value), colons };
        if arn.partition().is_empty() || arn.service().is_empty() || arn.resource().is_empty() {
            return Err(invalid());
        }
        Ok(arn)
    }
}

impl TryFrom<String> for Arn {
    type Error = InvalidNameError;

    fn try_from(value: String) -> Result<Self, Self::Error> {
        value.parse()
    }
}

impl From<Arn> for String {
    fn from(arn: Arn) -> Self {
        arn.text.as_ref().to_owned()
    }
}

impl PartialEq for Arn {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Arn {}

impl PartialOrd for Arn {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Arn {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}

impl hash::Hash for Arn {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Arn;

    #[test]
    fn the_resource_keeps_its_colons_and_slashes() {
        let arn: Arn = "arn:aws:logs:us-east-1:123456789012:log-group:a/b:*".parse().unwrap();
        assert_eq!(arn.resource(), "log-group:a/b:*");
        assert_eq!((arn.resource_type(), arn.resource_id()), (Some("log-group"), "a/b:*"));
        let bucket: Arn = "arn:aws:s3:::a-bucket".parse().unwrap();
        assert_eq!((bucket.region(), bucket.account()), ("", ""));
        assert_eq!((bucket.resource_type(), bucket.resource_id()), (None, "a-bucket"));
    }

    #[test]
    fn what_lacks_a_part_is_no_arn() {
        for wrong in [
            "",
            "arn",
            "arn:aws:s3",
            "arn:aws:s3:::",
            "arn::s3:::b",
            "arn:aws::::b",
            "aws:arn:s3:::b",
            "arn:aws:s3:::b\n",
        ] {
            assert!(wrong.parse::<Arn>().is_err(), "{wrong}");
        }
        assert!(format!("arn:aws:s3:::{}", "b".repeat(2048)).parse::<Arn>().is_err());
        assert!(Arn::new("aws", "s3:x", "", "", "b").is_err());
    }

    proptest! {
        #[test]
        fn an_arn_prints_as_it_was_read(
            partition in "[a-z-]{1,8}", service in "[a-z0-9-]{1,10}", region in "[a-z0-9-]{0,10}",
            account in "[0-9]{0,12}", resource in "[!-~]{1,40}",
        ) {
            let arn = Arn::new(&partition, &service, &region, &account, &resource).unwrap();
            prop_assert_eq!(arn.partition(), partition);
            prop_assert_eq!(arn.service(), service);
            prop_assert_eq!(arn.region(), region);
            prop_assert_eq!(arn.account(), account);
            prop_assert_eq!(arn.resource(), resource);
            let again: Arn = serde_json::from_str(&serde_json::to_string(&arn).unwrap()).unwrap();
            prop_assert_eq!(again, arn);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "(arn:)?.{0,60}") {
            if let Ok(arn) = text.parse::<Arn>() {
                prop_assert_eq!(arn.to_string(), text);
            }
        }
    }
}
