//! The forms of names, paths, descriptions and documents.

use crate::{
    error::{Constraint, IdentityError, InvalidValue},
    limits,
};

/// The letters of names: `[\w+=,.@-]`.
fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_+=,.@-".contains(c)
}

fn check_length(member: &'static str, value: &str, least: usize, most: usize) -> Result<(), InvalidValue> {
    let chars = value.chars().count();
    if chars < least {
        Err(InvalidValue::new(member, value, Constraint::MinLength(least)))
    } else if chars > most {
        Err(InvalidValue::new(member, value, Constraint::MaxLength(most)))
    } else {
        Ok(())
    }
}

/// A name of 1 to `most` characters of `[\w+=,.@-]`.
pub(crate) fn check_name(member: &'static str, value: &str, most: usize) -> Result<(), IdentityError> {
    check_length(member, value, 1, most)?;
    if value.chars().all(is_name_char) {
        Ok(())
    } else {
        Err(InvalidValue::new(member, value, Constraint::NameCharacters).into())
    }
}

/// A session's name or source identity: 2 to 64 characters of `[\w+=,.@-]`.
pub(crate) fn check_session_name(member: &'static str, value: &str) -> Result<(), IdentityError> {
    check_length(member, value, 2, limits::USER_NAME_CHARS)?;
    if value.chars().all(is_name_char) {
        Ok(())
    } else {
        Err(InvalidValue::new(member, value, Constraint::Pattern(r"[\w+=,.@-]*")).into())
    }
}

/// The name of a federated user: 2 to 32 characters of `[\w+=,.@-]`.
pub(crate) fn check_federated_name(member: &'static str, value: &str) -> Result<(), IdentityError> {
    check_length(member, value, 2, limits::FEDERATED_NAME_CHARS)?;
    check_session_name(member, value)
}

/// An external id: 2 to 1224 characters of `[\w+=,.@:\/-]`.
pub(crate) fn check_external_id(value: &str) -> Result<(), IdentityError> {
    check_length("externalId", value, 2, limits::EXTERNAL_ID_CHARS)?;
    if value.chars().all(|c| is_name_char(c) || c == ':' || c == '/') {
        Ok(())
    } else {
        Err(InvalidValue::new("externalId", value, Constraint::Pattern(r"[\w+=,.@:\/-]*")).into())
    }
}

/// A path: `/`, or printable ASCII between two slashes.
pub(crate) fn check_path(member: &'static str, value: &str) -> Result<(), IdentityError> {
    check_length(member, value, 1, limits::PATH_CHARS)?;
    let inside = value.strip_prefix('/').map(|rest| rest.strip_suffix('/').unwrap_or(rest));
    let well_formed = value == "/"
        || (value.ends_with('/')
            && inside.is_some_and(|i| !i.is_empty() && i.bytes().all(|b| b.is_ascii_graphic())));
    if well_formed { Ok(()) } else { Err(InvalidValue::new(member, value, Constraint::Path).into()) }
}

/// The path of a managed policy: no more than letters, digits and `.,+@=_-` between its slashes.
pub(crate) fn check_policy_path(member: &'static str, value: &str) -> Result<(), IdentityError> {
    check_path(member, value)?;
    let plain = !value.contains("//") && value.chars().all(|c| is_name_char(c) || c == '/');
    if plain { Ok(()) } else { Err(InvalidValue::new(member, value, Constraint::Path).into()) }
}

/// A path prefix to filter by: begins with a slash.
pub(crate) fn check_path_prefix(value: &str) -> Result<(), IdentityError> {
    check_length("pathPrefix", value, 1, limits::PATH_CHARS)?;
    if value.starts_with('/') && value.bytes().all(|b| b.is_ascii_graphic()) {
        Ok(())
    } else {
        Err(InvalidValue::new("pathPrefix", value, Constraint::PathPrefix).into())
    }
}

/// A role's description: Latin-1 text with tabs and line ends.
pub(crate) fn check_role_description(value: &str) -> Result<(), IdentityError> {
    check_length("description", value, 0, limits::DESCRIPTION_CHARS)?;
    let text = |c: char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{7e}' | '\u{a1}'..='\u{ff}');
    if value.chars().all(text) {
        Ok(())
    } else {
        let pattern = r"[\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]*";
        Err(InvalidValue::new("description", value, Constraint::Pattern(pattern)).into())
    }
}

/// A managed policy's description.
pub(crate) fn check_policy_description(value: &str) -> Result<(), IdentityError> {
    Ok(check_length("description", value, 0, limits::DESCRIPTION_CHARS)?)
}

/// A policy document's outer form; what it says is the policy crate's to judge.
pub(crate) fn check_document(member: &'static str, value: &str) -> Result<(), IdentityError> {
    check_length(member, value, 1, limits::DOCUMENT_CHARS)?;
    if value.chars().all(|c| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{ff}')) {
        Ok(())
    } else {
        let pattern = r"[\u0009\u000A\u000D\u0020-\u00FF]+";
        Err(InvalidValue::new(member, value, Constraint::Pattern(pattern)).into())
    }
}

/// A number within its bounds, both included.
pub(crate) fn check_range(
    member: &'static str,
    value: u32,
    least: u32,
    most: u32,
) -> Result<(), IdentityError> {
    if value < least {
        Err(InvalidValue::new(member, &value.to_string(), Constraint::AtLeast(least.into())).into())
    } else if value > most {
        Err(InvalidValue::new(member, &value.to_string(), Constraint::AtMost(most.into())).into())
    } else {
        Ok(())
    }
}

/// What an operator gives the root: an access key id of 16 to 128 letters, digits and `_`, and a secret of 8 to
/// 128 printable characters without spaces.
pub(crate) fn check_root_credentials(access_key_id: &str, secret: &str) -> Result<(), IdentityError> {
    let (least, most) = (limits::MIN_ACCESS_KEY_ID_CHARS, limits::MAX_ACCESS_KEY_ID_CHARS);
    check_length("accessKeyId", access_key_id, least, most)?;
    if !access_key_id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        return Err(InvalidValue::new("accessKeyId", access_key_id, Constraint::Pattern(r"[\w]+")).into());
    }
    // The error must not repeat the secret.
    let wrong = |constraint| Err(InvalidValue::new("secretAccessKey", "***", constraint).into());
    match secret.chars().count() {
        n if n < limits::MIN_ROOT_SECRET_CHARS => wrong(Constraint::MinLength(limits::MIN_ROOT_SECRET_CHARS)),
        n if n > limits::MAX_ROOT_SECRET_CHARS => wrong(Constraint::MaxLength(limits::MAX_ROOT_SECRET_CHARS)),
        _ if !secret.bytes().all(|b| b.is_ascii_graphic()) => wrong(Constraint::Pattern("[!-~]+")),
        _ => Ok(()),
    }
}

/// Characters that count against a policy's size: IAM leaves white space out.
pub(crate) fn counted_chars(document: &str) -> usize {
    document.chars().filter(|c| !c.is_whitespace()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_of_the_letters_iam_takes() {
        for good in ["a", "alice@example.com", "x_y+z=1,2.3-4", &"n".repeat(64)] {
            assert!(check_name("userName", good, 64).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a/b", "é", "a*", &"n".repeat(65)] {
            assert!(check_name("userName", bad, 64).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_too_long_is_told_in_iams_words() {
        let error = check_name("userName", &"n".repeat(65), 64).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "1 validation error detected: Value '{}' at 'userName' failed to satisfy constraint: Member must \
                 have length less than or equal to 64",
                "n".repeat(65)
            )
        );
    }

    #[test]
    fn paths_begin_and_end_with_a_slash() {
        for good in ["/", "/a/", "/division_abc/subdivision_xyz/", "//", "/!~/"] {
            assert_eq!(check_path("path", good).is_ok(), good != "//", "{good}");
        }
        for bad in ["", "a", "/a", "a/", "/a b/", "/é/"] {
            assert!(check_path("path", bad).is_err(), "{bad}");
        }
        assert!(check_policy_path("path", "/team/a.b/").is_ok());
        assert!(check_policy_path("path", "/team/!/").is_err());
    }

    #[test]
    fn white_space_does_not_count() {
        assert_eq!(counted_chars("{ \"a\":\n\t1 }"), 7);
    }
}
