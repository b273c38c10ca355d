//! `rialto check`.

use serde_json::json;

use crate::config::{self, Problem, Summary};

use super::args::CheckArgs;
use super::{Outcome, count, print};

pub fn check(args: &CheckArgs) -> Outcome {
    let loaded = config::load(&args.config);
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
                text += &format!(
                    "{}: good, {clients}, {warnings}\n{summary}",
                    args.config.display()
                );
            }
            None => {
                text += &format!(
                    "{}: {}\n",
                    args.config.display(),
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
