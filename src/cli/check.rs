//! `rialto check`.

use serde_json::json;

use crate::config::{self, Problem, Summary};

use super::args::CheckArgs;
use super::{Outcome, count, print};

pub fn check(args: &CheckArgs) -> Outcome {
    // Without a file the words were --reference.
    let Some(file) = &args.config else {
        print(config::REFERENCE);
        return Outcome::Well;
    };
    let loaded = config::load(file);
    let (problems, config) = match &loaded {
        Ok(config) => (&config.warnings, Some(config)),
        Err(problems) => (problems, None),
    };
    let summary = config.map(Summary::of);
    if args.output.json {
        let problems = problems.iter().collect::<Vec<&Problem>>();
        print(&format!(
            "{:#}\n",
            json!({ "good": summary.is_some(), "problems": problems, "effective": summary })
        ));
    } else {
        let mut text = problems
            .iter()
            .map(|problem| format!("{problem}\n"))
            .collect::<String>();
        match &summary {
            Some(summary) => {
                let clients = count(summary.clients.len(), "client");
                let warnings = count(problems.iter().count(), "warning");
                text += &format!("{}: good, {clients}, {warnings}\n{summary}", file.display());
            }
            None => {
                text += &format!(
                    "{}: {}\n",
                    file.display(),
                    count(problems.error_count(), "error")
                )
            }
        }
        print(&text);
    }
    if summary.is_some() {
        Outcome::Well
    } else {
        Outcome::Wrong
    }
}
