//! Runs a program under callgrind, and reads how many instructions each source line executed.
//!
//! Inlined code counts for the file that it was written in: callgrind follows the line table of the
//! compiler.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::Outcome;

/// A source line, in the function of the executable that contains it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) object: String,
    pub(crate) function: String,
    pub(crate) file: String,
    pub(crate) line: u64,
}

/// The instructions of each line that was executed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Profile(pub(crate) BTreeMap<Place, f64>);

/// Runs `program` until it ends, and returns its profile. The processes that it starts are not
/// counted.
pub(crate) fn profile(program: &Command) -> Outcome<Profile> {
    let report = report_file();
    let mut command = Command::new("valgrind");
    // Schedule threads fairly, as the kernel does without valgrind.
    command.args(["--tool=callgrind", "--quiet", "--fair-sched=try"]);
    command.arg(format!("--callgrind-out-file={}", report.display()));
    command.arg(program.get_program()).args(program.get_args());
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("valgrind cannot be run: {error}"))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(format!("a program failed under callgrind: {words}").into());
    }
    let text = std::fs::read_to_string(&report)?;
    std::fs::remove_file(&report)?;
    Profile::parse(&text)
}

fn report_file() -> PathBuf {
    std::env::temp_dir().join(format!("compare-callgrind-{}", std::process::id()))
}

impl Profile {
    /// Returns what this run executed in excess of `shorter`, divided by `count`.
    pub(crate) fn excess(mut self, shorter: &Profile, count: f64) -> Profile {
        for (place, instructions) in &shorter.0 {
            *self.0.entry(place.clone()).or_default() -= instructions;
        }
        self.0.values_mut().for_each(|cost| *cost /= count);
        self
    }

    /// Adds up the costs of the places that `group` gives the same name.
    pub(crate) fn sums(&self, group: impl Fn(&Place) -> Option<String>) -> BTreeMap<String, f64> {
        let mut sums = BTreeMap::new();
        for (place, cost) in &self.0 {
            if let Some(name) = group(place) {
                *sums.entry(name).or_default() += cost;
            }
        }
        sums
    }

    pub(crate) fn total(&self) -> f64 {
        self.0.values().sum()
    }

    fn parse(text: &str) -> Outcome<Profile> {
        let mut reader = Reader::default();
        for line in text.lines() {
            reader
                .line(line)
                .ok_or_else(|| format!("cannot parse a line of callgrind: {line}"))?;
        }
        let (counted, total) = (reader.profile.total(), reader.total);
        if total == 0.0 || counted != total {
            return Err(format!("the lines add up to {counted} of {total} instructions").into());
        }
        Ok(reader.profile)
    }
}

/// The parser of the text format. The format abbreviates a name after its first use, and line
/// numbers may be relative.
#[derive(Default)]
struct Reader {
    names: HashMap<(Kind, u64), String>,
    object: String,
    file: String,
    function: String,
    line: u64,
    /// Whether the next line has the cost of a call. The lines of the callee already include that
    /// cost.
    is_call: bool,
    profile: Profile,
    total: f64,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Object,
    File,
    Function,
}

impl Reader {
    /// Parses one line. Returns `None` if the line does not match the format.
    fn line(&mut self, line: &str) -> Option<()> {
        if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) {
            return self.cost(line);
        }
        let Some((key, value)) = line.split_once(['=', ':']) else {
            return (line.is_empty() || line.starts_with('#')).then_some(());
        };
        match key {
            "ob" => self.object = self.name(Kind::Object, value)?,
            "fl" | "fi" | "fe" => self.file = self.name(Kind::File, value)?,
            "fn" => self.function = self.name(Kind::Function, value)?,
            // Callees are not recorded, but these lines may define names.
            "cob" => drop(self.name(Kind::Object, value)?),
            "cfi" | "cfl" => drop(self.name(Kind::File, value)?),
            "cfn" => drop(self.name(Kind::Function, value)?),
            "calls" => self.is_call = true,
            "totals" => self.total = value.trim().parse().ok()?,
            _ => {}
        }
        Some(())
    }

    fn name(&mut self, kind: Kind, value: &str) -> Option<String> {
        let (number, name) = value.strip_prefix('(')?.split_once(')')?;
        let key = (kind, number.parse().ok()?);
        if !name.is_empty() {
            self.names.insert(key, name.trim().to_owned());
        }
        self.names.get(&key).cloned()
    }

    fn cost(&mut self, line: &str) -> Option<()> {
        let (position, cost) = line.split_once(' ').unwrap_or((line, "0"));
        self.line = match position.split_at(1) {
            ("*", "") => self.line,
            ("+", ahead) => self.line + ahead.parse::<u64>().ok()?,
            ("-", back) => self.line.checked_sub(back.parse().ok()?)?,
            _ => position.parse().ok()?,
        };
        let cost: f64 = cost.trim().parse().ok()?;
        if std::mem::take(&mut self.is_call) {
            return Some(());
        }
        let place = Place {
            object: self.object.clone(),
            function: self.function.clone(),
            file: self.file.clone(),
            line: self.line,
        };
        *self.profile.0.entry(place).or_default() += cost;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "\
# callgrind format
positions: line
events: Ir

ob=(1) /bin/server
fl=(1) src/lib.rs
fn=(1) serve
10 5
fi=(2) core/option.rs
+3 2
fe=(1)
-1 4
cfn=(2) other
calls=2 40
* 100
totals: 11
";

    fn lines(profile: &Profile) -> BTreeMap<String, f64> {
        profile.sums(|place| Some(format!("{}:{}", place.file, place.line)))
    }

    #[test]
    fn inlined_code_belongs_to_its_own_file() {
        let profile = Profile::parse(REPORT).unwrap();
        let expected = [
            ("core/option.rs:13", 2.0),
            ("src/lib.rs:10", 5.0),
            ("src/lib.rs:12", 4.0),
        ];
        let expected = expected.map(|(place, cost)| (place.to_owned(), cost));
        assert_eq!(lines(&profile), BTreeMap::from(expected));
    }

    #[test]
    fn the_difference_of_two_runs_is_per_request() {
        let longer = Profile::parse(&REPORT.replace("10 5", "10 25").replace("11", "31")).unwrap();
        let excess = longer.excess(&Profile::parse(REPORT).unwrap(), 10.0);
        assert_eq!(lines(&excess)["src/lib.rs:10"], 2.0);
        assert_eq!(excess.total(), 2.0);
    }

    #[test]
    fn a_report_that_is_incomplete_is_an_error() {
        assert!(Profile::parse(&REPORT.replace("11", "12")).is_err());
        assert!(Profile::parse("").is_err());
    }
}
