//! The name by which an account's sign-in page goes: one for each account, and no two accounts the same.

use std::sync::Arc;

use opentrail_event::AccountId;
use opentrail_state::Transaction;

use crate::{
    account::{self, Account},
    documents::Documents,
    error::{Constraint, Existing, IdentityError, InvalidValue, Missing},
    limits,
};

/// The account's alias.
pub fn get(docs: &impl Documents, account: AccountId) -> Option<String> {
    account::get(docs, account).alias
}

/// Gives the account an alias, in place of the one before.
///
/// # Errors
/// `Validation`; `AlreadyExists` if an account, this one or another, has it.
pub fn create(tx: &mut Transaction, account: AccountId, alias: &str) -> Result<(), IdentityError> {
    check(alias)?;
    let accounts: Vec<(String, Arc<Account>)> = tx.documents("");
    if accounts.iter().any(|(_, account)| account.alias.as_deref() == Some(alias)) {
        return Err(IdentityError::AlreadyExists(Existing::AccountAlias(alias.to_owned())));
    }
    let mut account = account::get(tx, account);
    account.alias = Some(alias.to_owned());
    account::save(tx, &account);
    Ok(())
}

/// Takes the account's alias away.
///
/// # Errors
/// `Validation`; `NoSuchEntity` if the account has another or none.
pub fn delete(tx: &mut Transaction, account: AccountId, alias: &str) -> Result<(), IdentityError> {
    check(alias)?;
    let mut account = account::get(tx, account);
    account
        .alias
        .take_if(|own| own == alias)
        .ok_or_else(|| IdentityError::NoSuchEntity(Missing::AccountAlias(alias.to_owned())))?;
    account::save(tx, &account);
    Ok(())
}

/// 3 to 63 small letters, digits and single hyphens between them; not the twelve digits that an account's number has.
fn check(alias: &str) -> Result<(), IdentityError> {
    let refused = |constraint| Err(InvalidValue::new("accountAlias", alias, constraint).into());
    let (least, most) = (limits::MIN_ALIAS_CHARS, limits::MAX_ALIAS_CHARS);
    match alias.chars().count() {
        n if n < least => return refused(Constraint::MinLength(least)),
        n if n > most => return refused(Constraint::MaxLength(most)),
        _ => {}
    }
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_number = alias.len() == 12 && alias.bytes().all(|b| b.is_ascii_digit());
    let is_name = alias.chars().all(inner)
        && !alias.starts_with('-')
        && !alias.ends_with('-')
        && !alias.contains("--")
        && !is_number;
    if is_name { Ok(()) } else { refused(Constraint::Pattern("^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$")) }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn an_alias_is_a_name_that_can_stand_in_an_address() {
        for good in ["abc", "my-company", "a1-b2", &"a".repeat(63), "1234567890123"] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in ["", "ab", "Abc", "a--b", "-abc", "abc-", "a_b", "é-é", &"a".repeat(64), "123456789012"]
        {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
