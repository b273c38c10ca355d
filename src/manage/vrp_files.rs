//! VRP files: what each last said, what of it counts, and when less of it will. Owns no clock.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::config::RpkiFeed as RpkiSources;
use crate::outside::regular_file;
use crate::outside::vrp_file::{self, FileTime, VrpFile};

use super::calendar::since_epoch;

/// What VRP files say, by name.
pub type VrpFiles = HashMap<PathBuf, Arc<VrpFile>>;

/// By what the age of these files is judged.
pub fn file_time(sources: &RpkiSources, now: SystemTime) -> FileTime {
    FileTime {
        now_s: since_epoch(now).as_secs(),
        max_age_s: sources.max_age.as_ref().map(Duration::as_secs),
    }
}

/// Reads the VRP files, and takes nothing into use. One that cannot be read, or has nothing, says what it
/// said before. With what is wrong, in sentences. Half a million VRPs take a moment.
pub fn read_vrps(
    sources: &RpkiSources,
    before: &VrpFiles,
    now: SystemTime,
) -> (VrpFiles, Vec<String>) {
    let mut files = VrpFiles::new();
    let mut problems = Vec::new();
    for file in &sources.vrp_files {
        let known = before.get(file).cloned();
        let had_vrps = known.as_ref().is_some_and(|known| known.has_vrps());
        let said = match read(file, now, had_vrps) {
            Ok(said) => Some(Arc::new(said)),
            Err(error) => {
                let kept = match known {
                    Some(_) => "what it said before stays in use",
                    None => "there is nothing to use in its place",
                };
                problems.push(format!("VRP file {}: {error}; {kept}", file.display()));
                known
            }
        };
        files.extend(said.map(|said| (file.clone(), said)));
    }
    problems.extend(spent(&files, file_time(sources, now)));
    (files, problems)
}

fn read(file: &Path, now: SystemTime, had_vrps: bool) -> Result<VrpFile, String> {
    let octets = regular_file::read(file, regular_file::OCTETS_MAX);
    let octets = octets.map_err(|error| error.to_string())?;
    let mut said = vrp_file::read(&octets).map_err(|error| error.to_string())?;
    if said.entry_count() == 0 {
        return Err("there is nothing in it".to_owned());
    }
    if had_vrps && !said.has_vrps() {
        return Err("there is no VRP in it any more".to_owned());
    }
    // One from the future would never be stale.
    if said
        .made_s
        .is_none_or(|made_s| made_s > since_epoch(now).as_secs())
    {
        let modified = std::fs::metadata(file).and_then(|metadata| metadata.modified());
        said.made_s = modified
            .ok()
            .map(|modified| since_epoch(modified.min(now)).as_secs());
    }
    Ok(said)
}

/// Files of which nothing counts any more, in sentences that stay the same while that is so.
pub fn spent(files: &VrpFiles, at: FileTime) -> Vec<String> {
    let sentence = |(name, file): (&PathBuf, &Arc<VrpFile>)| {
        let name = name.display();
        let max_age_s = at.max_age_s.unwrap_or_default();
        let is_over = file.expired_count(at.now_s) == file.entry_count();
        match file.is_stale(at) {
            true => Some(format!(
                "VRP file {name} is stale, nothing in it counts any more: it was made more than {max_age_s} s ago \
                 (rpki.max_age_s); see why no new one is written"
            )),
            false => is_over.then(|| {
                format!("VRP file {name}: all of its entries have expired; see why no new one is written")
            }),
        }
    };
    let mut sentences: Vec<String> = files.iter().filter_map(sentence).collect();
    sentences.sort();
    sentences
}

/// The first moment after `at` from which on less of the files counts, in seconds since 1970 (UTC).
pub fn expires_next_s(files: &VrpFiles, at: FileTime) -> Option<u64> {
    files
        .values()
        .filter_map(|file| file.expires_next_s(at))
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told_with_what_is_used() {
        const ROA: &str = r#"{"asn": 1, "prefix": "192.0.2.0/24"}"#;
        const ENDS: &str = r#"{"asn": 1, "prefix": "192.0.2.0/24", "expires": 1000}"#;
        let text = |made_s: u64, roa: &str| {
            format!(r#"{{"metadata": {{"generated": {made_s}}}, "roas": [{roa}]}}"#)
        };
        let folder = tempfile::tempdir().expect("a folder");
        let name = folder.path().join("vrps.json");
        let sources = RpkiSources {
            vrp_files: vec![name.clone()],
            max_age: Some(Duration::from_secs(100)),
            ..RpkiSources::default()
        };
        let held = VrpFiles::from([(
            name.clone(),
            Arc::new(vrp_file::read(text(900, ROA).as_bytes()).expect("it is one")),
        )]);
        let none = VrpFiles::new();
        type Case<'a> = (&'a str, Option<String>, &'a VrpFiles, u64, usize, &'a str);
        let cases: [Case<'_>; 10] = [
            ("a good file", Some(text(900, ROA)), &none, 950, 1, ""),
            (
                "a stale file",
                Some(text(900, ROA)),
                &none,
                1_000,
                0,
                "is stale, nothing in it counts any more: it was made more than 100 s ago (rpki.max_age_s)",
            ),
            (
                "a file of which all has expired",
                Some(text(990, ENDS)),
                &none,
                1_000,
                0,
                "all of its entries have expired",
            ),
            (
                "a file of which a part has expired",
                Some(text(990, &format!("{ROA}, {ENDS}"))),
                &none,
                1_000,
                1,
                "",
            ),
            (
                "a file that says no date has that of the file, which is that of today",
                Some(format!("{{\"roas\": [{ROA}]}}")),
                &none,
                1_000,
                1,
                "",
            ),
            (
                "one that is said to be made in the future has the date of the file, like one that says none",
                Some(text(99_999_999_999, ROA)),
                &none,
                9_999_999_999,
                0,
                "is stale",
            ),
            (
                "ASPAs alone, where there were VRPs",
                Some(r#"{"roas": [], "aspas": [{"customer": 1, "providers": [2]}]}"#.to_owned()),
                &held,
                950,
                1,
                "there is no VRP in it any more; what it said before stays in use",
            ),
            (
                "no file",
                None,
                &none,
                950,
                0,
                "there is nothing to use in its place",
            ),
            (
                "no file any more",
                None,
                &held,
                950,
                1,
                "what it said before stays in use",
            ),
            (
                "no file any more, and what it said is stale",
                None,
                &held,
                1_000,
                0,
                "is stale",
            ),
        ];
        for (case, text, before, now_s, count, problem) in cases {
            let _ = std::fs::remove_file(&name);
            if let Some(text) = text {
                std::fs::write(&name, text).expect("it can be written");
            }
            let (files, problems) = read_vrps(&sources, before, after(now_s));
            let at = file_time(&sources, after(now_s));
            let found = files.values().flat_map(|file| file.vrps(at)).count();
            assert_eq!(found, count, "{case}");
            assert!(
                problems.join("\n").contains(problem),
                "{case}: {problems:?}"
            );
            assert_eq!(problems.is_empty(), problem.is_empty(), "{case}");
        }
    }
}
