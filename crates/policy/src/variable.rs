//! Policy variables: `${key}` and `${key, 'default'}`.

use crate::{Context, context::Key};

/// A reference to a condition key, with what stands in for it when the request does not have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variable {
    key: Key,
    written: Box<str>,
    default: Option<Box<str>>,
}

/// What `${…}` stands for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Substitution {
    /// `${*}`, `${?}` and `${$}`: the character itself, without its special meaning.
    Character(char),
    /// A key of the context.
    Variable(Variable),
}

/// A `${` without the rest of a variable.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotAVariable;

impl Variable {
    /// The key as the document has it.
    pub(crate) fn written(&self) -> &str {
        &self.written
    }

    /// The key, in lower case.
    pub(crate) fn key(&self) -> &str {
        self.key.name()
    }

    /// The value in this request. `None` if the key is absent or multivalued and there is no default.
    pub(crate) fn resolve<'a>(&'a self, context: &'a Context) -> Option<&'a str> {
        context.single_value(&self.key).or(self.default.as_deref())
    }
}

/// Reads what follows `${`, up to and with its `}`; also how many bytes that was.
pub(crate) fn read(after_opening: &str) -> Result<(Substitution, usize), NotAVariable> {
    let end_of_key = after_opening.find(['}', ',']).ok_or(NotAVariable)?;
    let key = &after_opening[..end_of_key];
    if let ("*" | "?" | "$", Some('}')) = (key, after_opening[end_of_key..].chars().next()) {
        let character = key.chars().next().ok_or(NotAVariable)?;
        return Ok((Substitution::Character(character), end_of_key + 1));
    }
    let (default, length) = match after_opening[end_of_key..].strip_prefix(',') {
        None => (None, end_of_key + 1),
        Some(rest) => {
            let (default, length) = read_default(rest)?;
            (Some(default), end_of_key + 1 + length)
        }
    };
    if key.is_empty()
        || key.starts_with(' ')
        || key.ends_with(' ')
        || key.contains(['$', '{', '\'', '*', '?'])
    {
        return Err(NotAVariable);
    }
    Ok((Substitution::Variable(Variable { key: Key::new(key), written: key.into(), default }), length))
}

/// Reads `'default'}` after the comma; AWS asks for one space before the quote, and none is understood too.
fn read_default(text: &str) -> Result<(Box<str>, usize), NotAVariable> {
    let quoted = text.trim_start_matches(' ');
    let opening = text.len() - quoted.len();
    let inner = quoted.strip_prefix('\'').ok_or(NotAVariable)?;
    let end = inner.find('\'').ok_or(NotAVariable)?;
    let after = inner[end + 1..].trim_start_matches(' ');
    if !after.starts_with('}') {
        return Err(NotAVariable);
    }
    let spaces = inner.len() - end - 1 - after.len();
    Ok((inner[..end].into(), opening + 1 + end + 1 + spaces + 1))
}

#[cfg(test)]
mod tests {
    use super::{NotAVariable, Substitution, read};
    use crate::Context;

    fn value(text: &str, context: &Context) -> Option<String> {
        match read(text) {
            Ok((Substitution::Variable(variable), _)) => variable.resolve(context).map(str::to_owned),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_variable_takes_its_key_or_its_default() {
        let context = Context::new().with("aws:PrincipalTag/team", "yellow");
        assert_eq!(value("aws:principaltag/TEAM}", &context).as_deref(), Some("yellow"));
        assert_eq!(value("aws:PrincipalTag/unit, 'a}b'}", &context).as_deref(), Some("a}b"));
        assert_eq!(value("aws:PrincipalTag/team, 'all'}", &context).as_deref(), Some("yellow"));
        assert_eq!(value("aws:PrincipalTag/unit}", &context), None);
    }

    #[test]
    fn the_length_ends_after_the_brace() {
        for text in ["a}", "a, 'b'}", "a,'b' }", "*}"] {
            assert_eq!(read(&format!("{text}rest")).map(|(_, length)| length), Ok(text.len()), "{text}");
        }
        assert_eq!(read("?}").map(|(found, _)| found), Ok(Substitution::Character('?')));
    }

    #[test]
    fn what_is_not_a_variable_is_refused() {
        for text in ["", "}", "a", "a, }", "a, 'b}", "a, b}", "a, 'b' c}", " a}", "${a}}", "*, 'x'}"] {
            assert_eq!(read(text), Err(NotAVariable), "{text}");
        }
    }
}
