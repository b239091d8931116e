//! A form while it is read, and its characters.

use super::Misfit;

/// The code of the first member; those of the others follow it.
pub(super) const FIRST_MEMBER: u8 = b'#';
/// How many members an object's schema may have: codes end before the special ones.
pub(super) const MOST_MEMBERS: usize = (b'{' - FIRST_MEMBER) as usize + 1;
pub(super) const ALSO: u8 = b'~';
pub(super) const OTHER: u8 = b'|';
pub(super) const STRING: u8 = b's';
pub(super) const RAW: u8 = b'r';
pub(super) const NULL: u8 = b'n';
pub(super) const REST: u8 = b'-';

pub(super) struct Form<'f> {
    left: &'f [u8],
}

impl<'f> Form<'f> {
    pub(super) fn new(form: &'f [u8]) -> Self {
        Self { left: form }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.left.is_empty()
    }

    pub(super) fn next(&mut self) -> Result<u8, Misfit> {
        let (first, left) = self.left.split_first().ok_or(Misfit)?;
        self.left = left;
        Ok(*first)
    }

    /// A number, a colon and so many bytes.
    pub(super) fn key(&mut self) -> Result<&'f [u8], Misfit> {
        let mut length = 0usize;
        loop {
            match self.next()? {
                digit @ b'0'..=b'9' => {
                    let shifted = length.checked_mul(10).ok_or(Misfit)?;
                    length = shifted.checked_add(usize::from(digit - b'0')).ok_or(Misfit)?;
                }
                b':' => break,
                _ => return Err(Misfit),
            }
        }
        let (key, left) = self.left.split_at_checked(length).ok_or(Misfit)?;
        self.left = left;
        Ok(key)
    }
}

/// The member's place in the schema that a code names.
pub(super) fn member_at(code: u8) -> Result<usize, Misfit> {
    code.checked_sub(FIRST_MEMBER).map(usize::from).filter(|place| *place < MOST_MEMBERS).ok_or(Misfit)
}
