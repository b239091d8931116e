//! From a form to its program.

use arrow_array::{Array, ListArray, MapArray};

use super::{
    Fits, Misfit,
    form::{ALSO, Form, NULL, OTHER, RAW, REST, STRING, member_at},
    program::{Act, Place, Program, Step},
    source::{Members, Source, Texts},
};

/// # Errors
/// The form isn't one, or not one of rows with these columns.
pub(super) fn compile<'a>(form: &str, rows: &Members<'a>) -> Result<Program<'a>, Misfit> {
    let mut compiler =
        Compiler { form: Form::new(form.as_bytes()), between: Vec::new(), given: 0, steps: Vec::new() };
    compiler.object(rows, Place { level: 0, number: 0 })?;
    let Compiler { form: left, between, steps, .. } = compiler;
    if left.is_at_end() { Ok(Program { form: form.into(), between, steps }) } else { Err(Misfit) }
}

struct Compiler<'f, 'a> {
    form: Form<'f>,
    between: Vec<u8>,
    /// How many of these bytes are before the last step.
    given: usize,
    steps: Vec<Step<'a>>,
}

impl<'a> Compiler<'_, 'a> {
    fn bytes(&mut self, bytes: &[u8]) {
        self.between.extend_from_slice(bytes);
    }

    fn step(&mut self, place: Place, act: Act<'a>) {
        let before = self.between.len() - self.given;
        self.given = self.between.len();
        self.steps.push(Step { before, place, act });
    }

    /// A step that gives no bytes: those before it wait for the next that does.
    fn check(&mut self, place: Place, act: Act<'a>) {
        self.steps.push(Step { before: 0, place, act });
    }

    fn object(&mut self, members: &Members<'a>, place: Place) -> Fits {
        if let Some(nulls) = members.nulls() {
            self.check(place, Act::Object(nulls));
        }
        self.bytes(b"{");
        let mut is_first = true;
        loop {
            let code = self.form.next()?;
            if code == b'}' {
                self.bytes(b"}");
                return Ok(());
            }
            let comma = usize::from(std::mem::take(&mut is_first));
            self.bytes(b",\"".get(comma..).unwrap_or_default());
            self.member(code, members, place)?;
        }
    }

    /// A member from its key on.
    fn member(&mut self, code: u8, members: &Members<'a>, place: Place) -> Fits {
        let (key, source) = match code {
            OTHER => (self.form.key()?, None),
            ALSO => {
                let member = members.get(member_at(self.form.next()?)?).ok_or(Misfit)?;
                (member.also().ok_or(Misfit)?.as_bytes(), Some(&member.source))
            }
            code => {
                let member = members.get(member_at(code)?).ok_or(Misfit)?;
                (member.name().as_bytes(), Some(&member.source))
            }
        };
        self.bytes(key);
        self.bytes(b"\":");
        match source {
            Some(source) => self.value(source, place),
            None => {
                self.step(place, Act::Rest);
                Ok(())
            }
        }
    }

    fn value(&mut self, source: &Source<'a>, place: Place) -> Fits {
        match (self.form.next()?, source) {
            (REST, _) => self.step(place, Act::Rest),
            (NULL, _) => self.bytes(b"null"),
            (b'{', Source::Maps { maps, keys, values }) => {
                let maps: &'a MapArray = maps;
                let many = Act::Many { nulls: maps.nulls(), offsets: maps.value_offsets(), count: 0 };
                return self.map(many, *keys, *values, place);
            }
            (b'{', Source::Group(members)) => return self.object(members, place),
            (b'[', Source::Lists { lists, items }) => {
                return self.array(many(lists, 0), items, place);
            }
            (b'{', Source::Lists { lists, items }) => {
                self.check(place, many(lists, 1));
                return self.object(items, Place { level: place.level + 1, number: 0 });
            }
            (code, source) => return self.scalar(code, source, place),
        }
        Ok(())
    }

    /// A value that is one column's.
    fn scalar(&mut self, code: u8, source: &Source<'a>, place: Place) -> Fits {
        let act = match (source, code) {
            (Source::Texts(texts), _) => return self.text(code, *texts, place),
            (Source::Flags(flags), STRING | RAW) => Act::Flag(flags),
            (Source::Times(times), STRING) => Act::Time(times),
            (Source::Integers(numbers), STRING | RAW) => Act::Integer(numbers),
            (Source::Doubles(numbers), STRING | RAW) => Act::Double(numbers),
            _ => return Err(Misfit),
        };
        let quote: &[u8] = if code == STRING { b"\"" } else { b"" };
        self.bytes(quote);
        self.step(place, act);
        self.bytes(quote);
        Ok(())
    }

    /// A text as a string, or as it is.
    fn text(&mut self, code: u8, texts: Texts<'a>, place: Place) -> Fits {
        match code {
            STRING => {
                self.bytes(b"\"");
                self.step(place, Act::String(texts));
                self.bytes(b"\"");
            }
            RAW => self.step(place, Act::Raw(texts)),
            _ => return Err(Misfit),
        }
        Ok(())
    }

    fn map(&mut self, many: Act<'a>, keys: Texts<'a>, values: Texts<'a>, place: Place) -> Fits {
        self.each(many, *b"{}", place, |compiler, code, place| {
            compiler.text(STRING, keys, place)?;
            compiler.bytes(b":");
            match code {
                REST => compiler.step(place, Act::Rest),
                NULL => compiler.bytes(b"null"),
                code => compiler.text(code, values, place)?,
            }
            Ok(())
        })
    }

    fn array(&mut self, many: Act<'a>, items: &Members<'a>, place: Place) -> Fits {
        self.each(many, *b"[]", place, |compiler, code, place| {
            match code {
                REST => compiler.step(place, Act::Rest),
                NULL => compiler.bytes(b"null"),
                b'{' => compiler.object(items, place)?,
                _ => return Err(Misfit),
            }
            Ok(())
        })
    }

    /// The entries of a map or the elements of an array, each with its code; how many they are is known after the last.
    fn each(
        &mut self,
        many: Act<'a>,
        [open, close]: [u8; 2],
        place: Place,
        mut one: impl FnMut(&mut Self, u8, Place) -> Fits,
    ) -> Fits {
        let step = self.steps.len();
        self.check(place, many);
        self.bytes(&[open]);
        for number in 0.. {
            let code = self.form.next()?;
            if code == close {
                self.set_count(step, number);
                break;
            }
            if number > 0 {
                self.bytes(b",");
            }
            one(self, code, Place { level: place.level + 1, number })?;
        }
        self.bytes(&[close]);
        Ok(())
    }

    fn set_count(&mut self, step: usize, number: usize) {
        if let Some(Step { act: Act::Many { count, .. }, .. }) = self.steps.get_mut(step) {
            *count = number;
        }
    }
}

fn many(lists: &ListArray, count: usize) -> Act<'_> {
    Act::Many { nulls: lists.nulls(), offsets: lists.value_offsets(), count }
}
