//! `rialto check`.

use serde_json::json;

use crate::config::{self, Config, Problem, Summary};
use crate::manage::{self, Feeds};

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
    let from_outside = config.map_or_else(Vec::new, outside);
    if args.output.json {
        let problems = problems.iter().collect::<Vec<&Problem>>();
        print(&format!(
            "{:#}\n",
            json!({
                "good": summary.is_some(),
                "problems": problems,
                "outside": from_outside,
                "effective": summary,
            })
        ));
    } else {
        let mut text = problems
            .iter()
            .map(|problem| format!("{problem}\n"))
            .chain(from_outside.iter().map(|what| format!("warning: {what}\n")))
            .collect::<String>();
        match &summary {
            Some(summary) => {
                let clients = count(summary.clients.len(), "client");
                let warnings = problems.iter().count() + from_outside.len();
                let warnings = count(warnings, "warning");
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

/// What is wrong with the data from outside that the configuration names, and what a start would come to.
/// It need not be there yet.
fn outside(config: &Config) -> Vec<String> {
    let feeds = Feeds::default();
    let irr = feeds.read_irr(config);
    let mut problems = irr.problems.clone();
    problems.extend(feeds.read_files(&config.rpki));
    problems.extend(manage::at_start(config, irr, &feeds));
    problems
}
