//! The forms of names, addresses and service principals, as the service model has them.

use super::{
    limits,
    refusal::{InvalidReason, OrganizationRefusal},
};

type Checked = Result<(), OrganizationRefusal>;

fn invalid(reason: InvalidReason, member: &str, why: &str) -> OrganizationRefusal {
    OrganizationRefusal::invalid(reason, format!("You provided a value for {member} that {why}."))
}

/// A text of so many characters.
pub(super) fn check_length(member: &str, value: &str, least: usize, most: usize) -> Checked {
    let chars = value.chars().count();
    if chars < least {
        Err(invalid(InvalidReason::MinLengthExceeded, member, "is shorter than allowed"))
    } else if chars > most {
        Err(invalid(InvalidReason::MaxLengthExceeded, member, "is longer than allowed"))
    } else {
        Ok(())
    }
}

/// The name of a unit or a policy.
pub(super) fn check_name(value: &str) -> Checked {
    check_length("Name", value, 1, limits::NAME_CHARS)
}

/// The name of an account: printable ASCII.
pub(super) fn check_account_name(value: &str) -> Checked {
    check_length("AccountName", value, 1, limits::ACCOUNT_NAME_CHARS)?;
    if value.bytes().all(|b| matches!(b, b' '..=b'~')) {
        Ok(())
    } else {
        Err(invalid(InvalidReason::InvalidPattern, "AccountName", "has characters that aren't allowed"))
    }
}

/// An email address: something, an at sign, and something with a dot in it.
pub(super) fn check_email(value: &str) -> Checked {
    check_length("Email", value, limits::MIN_EMAIL_CHARS, limits::MAX_EMAIL_CHARS)?;
    let of_form = value.split_once('@').is_some_and(|(local, domain)| {
        let whole = !local.is_empty() && !domain.contains('@') && !value.contains(char::is_whitespace);
        let dotted = domain.rsplit_once('.').is_some_and(|(name, top)| !name.is_empty() && !top.is_empty());
        whole && dotted
    });
    if of_form { Ok(()) } else { Err(invalid(InvalidReason::InvalidPattern, "Email", "is no email address")) }
}

fn is_name_char(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b)
}

/// The name of the role that administers an account.
pub(super) fn check_role_name(value: &str) -> Checked {
    check_length("RoleName", value, 1, limits::ROLE_NAME_CHARS)?;
    if !value.bytes().all(is_name_char) {
        return Err(invalid(InvalidReason::InvalidPattern, "RoleName", "has characters that aren't allowed"));
    }
    if value.starts_with("AWSServiceRoleFor") {
        let why = "begins with the reserved prefix AWSServiceRoleFor";
        return Err(invalid(InvalidReason::InvalidRoleName, "RoleName", why));
    }
    Ok(())
}

/// Services that work with organizations here. Of others it would be said that they have access, and nothing be so.
const SERVICES: &[&str] = &["cloudtrail.amazonaws.com"];

/// The principal of a service that works with organizations.
pub(super) fn check_service(value: &str) -> Checked {
    check_length("ServicePrincipal", value, 1, limits::SERVICE_PRINCIPAL_CHARS)?;
    if SERVICES.contains(&value) {
        return Ok(());
    }
    let shown: String = value.chars().filter(|c| !c.is_control()).collect();
    let message = format!("You specified a service principal that opentrail doesn't recognize: {shown}.");
    Err(OrganizationRefusal::invalid(InvalidReason::UnrecognizedServicePrincipal, message))
}

#[cfg(test)]
mod tests {
    use super::{check_account_name, check_email, check_role_name, check_service};

    #[test]
    fn addresses_have_one_at_sign_and_a_dot_behind_it() {
        for good in ["a@b.co", "security+logs@example.com", "x@a.b.c"] {
            assert!(check_email(good).is_ok(), "{good}");
        }
        let long = format!("{}@example.com", "a".repeat(60));
        for bad in [
            "",
            "a@b.c",
            "nobody",
            "a b@example.com",
            "a@@b.com",
            "@example.com",
            "aaaa@bcom",
            "a@.com",
            "aaa@b.",
            &long,
        ] {
            assert!(check_email(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_and_services_are_of_their_forms() {
        assert!(check_account_name("Log archive (prod)").is_ok());
        assert!(check_account_name("Büro").is_err() && check_account_name("").is_err());
        assert!(check_role_name("OrganizationAccountAccessRole").is_ok());
        assert!(check_role_name("AWSServiceRoleForMe").is_err() && check_role_name("a b").is_err());
        assert!(
            check_service("cloudtrail.amazonaws.com").is_ok() && check_service("ec2.amazonaws.com").is_err()
        );
    }
}
