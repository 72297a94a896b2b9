//! The prefix an interpreter was built for, found in text.

/// An absolute folder, without `/` at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OldPrefix {
    text: String,
    /// Deep enough that no other path can hold it by chance. `/install` is not: `/usr/bin/install` ends with it.
    distinct: bool,
}

impl OldPrefix {
    pub(super) fn new(text: &str) -> Self {
        let text = text.trim_end_matches('/').to_owned();
        let distinct = text.matches('/').count() > 1;
        Self { text, distinct }
    }

    /// Writes `new` wherever the prefix stands, alone or with a path below it.
    pub(super) fn replace_in(&self, text: &str, new: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(&self.text) {
            let (before, from) = rest.split_at(at);
            let after = &from[self.text.len()..];
            out.push_str(before);
            out.push_str(if self.stands_between(&out, after) { new } else { &self.text });
            rest = after;
        }
        out.push_str(rest);
        out
    }

    /// Takes out compiler and linker flags for folders below the prefix: `-L`, `-I`, `-R`, `-F` and run-time search
    /// paths. The compiler's own settings for a build must not reach a compilation against the moved tree, which gets
    /// its folders from elsewhere; and a folder with a blank in its name would tear such a flag apart.
    pub(super) fn drop_flags_in(&self, text: &str) -> String {
        const FLAGS: [&str; 8] = ["-Wl,-rpath,", "-Wl,-rpath=", "-Wl,-R,", "-Wl,-R", "-L", "-I", "-R", "-F"];
        let mut text = text.to_owned();
        for flag in FLAGS {
            let start = format!("{flag}{}", self.text);
            let mut from = 0;
            while let Some(at) = text[from..].find(&start).map(|at| at + from) {
                let rest = &text[at + start.len()..];
                let whole_name = rest.is_empty() || !rest.starts_with(is_name_character);
                let first_of_word = at == 0 || !text[..at].ends_with(|c: char| is_name_character(c) || c == '/');
                if !whole_name || !first_of_word {
                    from = at + start.len();
                    continue;
                }
                let end_of = |c: char| c.is_whitespace() || matches!(c, '\'' | '"' | ')');
                let mut end = at + start.len() + rest.find(end_of).unwrap_or(rest.len());
                if text[end..].starts_with(' ') {
                    end += 1;
                }
                text.replace_range(at..end, "");
                from = at;
            }
        }
        text
    }

    fn stands_between(&self, before: &str, after: &str) -> bool {
        if after.starts_with(is_name_character) {
            return false;
        }
        let flagged = ["-L", "-I", "-R", "-F"].iter().any(|flag| before.ends_with(flag));
        self.distinct || flagged || !before.ends_with(|c: char| is_name_character(c) || matches!(c, '/' | '~' | '}'))
    }
}

fn is_name_character(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '+')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_prefix_itself_is_replaced() {
        let cases = [
            // (prefix, text, replaced)
            ("/install", "'/install/lib' /install", "'@/lib' @"),
            ("/install", "/usr/bin/install -c", "/usr/bin/install -c"),
            ("/install", "-L/install/lib -I/install/include", "-L@/lib -I@/include"),
            ("/install", "/installer /install-x", "/installer /install-x"),
            ("/home/x/3.12.1", "./home/x/3.12.1/lib", ".@/lib"),
            ("/home/x/3.12.1", "/home/x/3.12.10/lib", "/home/x/3.12.10/lib"),
        ];
        for (prefix, text, replaced) in cases {
            assert_eq!(OldPrefix::new(prefix).replace_in(text, "@"), replaced, "for {text}");
        }
    }

    #[test]
    fn flags_for_folders_below_the_prefix_go() {
        let cases = [
            // (text, without its flags)
            ("gcc -shared -L/h/py/lib -Wl,-rpath,/h/py/lib -lm", "gcc -shared -lm"),
            ("'-ldl -L/h/py/lib '\n  '-Wl,-rpath,/h/py/lib'", "'-ldl '\n  ''"),
            ("-I/h/py -I/h/pyx", "-I/h/pyx"),
            ("LIBDIR=/h/py/lib", "LIBDIR=/h/py/lib"),
            ("x-L/h/py/lib", "x-L/h/py/lib"),
        ];
        for (text, without) in cases {
            assert_eq!(OldPrefix::new("/h/py").drop_flags_in(text), without, "for {text}");
        }
    }
}
