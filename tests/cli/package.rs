//! The Debian package that `scripts/package` makes, in a scratch root.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn in_tree(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

fn is_there(program: &str) -> bool {
    let is_there = Command::new("sh")
        .args(["-c", &format!("command -v {program}")])
        .output()
        .is_ok_and(|output| output.status.success());
    if !is_there {
        eprintln!("LEFT OUT: what needs {program}, which is not installed");
        let ci = std::env::var("CI");
        assert_ne!(ci.as_deref(), Ok("true"), "CI leaves nothing out");
    }
    is_there
}

fn text(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8(text).unwrap()
}

fn run(command: &mut Command) -> String {
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{command:?}: {}", text(&output));
    text(&output)
}

#[test]
fn a_package_has_all_that_its_unit_needs_and_nothing_that_debian_calls_an_error() {
    if !is_there("dpkg-shlibdeps") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let made = run(Command::new(in_tree("scripts/package"))
        .args(["--binary", env!("CARGO_BIN_EXE_rialto"), "--output"])
        .arg(folder.path()));
    let package = made.trim();
    let root = folder.path().join("root");
    run(Command::new("dpkg-deb").args(["-x", package]).arg(&root));
    let fields = run(Command::new("dpkg-deb").args(["-f", package, "Depends", "Version"]));
    assert!(fields.contains("libc6 (>= "), "{fields}");

    // The example passes the check, of the binary that is in the package.
    let example = root.join("etc/rialto/rialto.toml.example");
    let checked = run(Command::new(root.join("usr/bin/rialto"))
        .args(["check", "--config"])
        .arg(example));
    assert!(checked.contains("AS64496-1"), "{checked}");
    assert!(
        !root.join("etc/rialto/rialto.toml").exists(),
        "a server that nobody has configured cannot be started"
    );
    for file in ["alerts.yml", "grafana.json"] {
        let installed = fs::read(root.join("usr/share/rialto/monitoring").join(file)).unwrap();
        let own = fs::read(in_tree("contrib/monitoring").join(file)).unwrap();
        assert!(installed == own, "{file} is the one of the sources");
    }
    assert_page_names_every_command(&root);
    assert_system_accepts(&root);

    if is_there("lintian") {
        let tags = Command::new("lintian")
            .args(["--allow-root", "--fail-on", "error", package])
            .output()
            .unwrap();
        assert!(tags.status.success(), "{}", text(&tags));
    }
}

fn assert_page_names_every_command(root: &Path) {
    let page = root.join("usr/share/man/man1/rialto.1.gz");
    let page = run(Command::new("gzip").arg("-dc").arg(page));
    let help = text(&super::rialto(&["--help"]));
    let commands = help.split("Commands:").nth(1).unwrap();
    let commands = commands.lines().skip(1).take_while(|line| !line.is_empty());
    let mut count = 0;
    for command in commands.filter_map(|line| line.split_whitespace().next()) {
        count += 1;
        let entry = format!(".B {command}");
        let is_named = page.lines().any(|line| {
            line.strip_prefix(&entry)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        });
        assert!(is_named || command == "help", "rialto(1) lacks {command}");
    }
    assert!(count > 5, "{help}");
}

/// systemd finds nothing to complain of, and little that the service may do.
fn assert_system_accepts(root: &Path) {
    let unit = root.join("usr/lib/systemd/system/rialto.service");
    if is_there("systemd-sysusers") {
        run(Command::new("systemd-sysusers")
            .arg(format!("--root={}", root.display()))
            .arg("rialto.conf"));
        let users = fs::read_to_string(root.join("etc/passwd")).unwrap();
        assert!(
            users.contains("rialto:x:") && users.contains(":/var/lib/rialto:"),
            "{users}"
        );
    }
    if is_there("systemd-analyze") {
        // Paths of the unit are those of an installed package.
        let installed = fs::read_to_string(&unit).unwrap();
        let installed = installed
            .replace("=/usr/bin", &format!("={}/usr/bin", root.display()))
            .replace("man:rialto(1)", "");
        let copy = root.join("rialto.service");
        fs::write(&copy, installed).unwrap();
        let told = run(Command::new("systemd-analyze").arg("verify").arg(&copy));
        assert!(!told.contains("rialto.service"), "{told}");
        // In tenths: 2.0 of 10.
        run(Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--threshold=20"])
            .arg(&unit));
    }
}

/// Runs a maintainer script with every program of systemd replaced; what they were asked to do.
fn asked_of_systemd(script: &str, words: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    for name in ["systemctl", "systemd-sysusers", "systemd-tmpfiles", "rm"] {
        let program = folder.path().join(name);
        let text = format!("#!/bin/sh\necho \"{name} $*\" >> {}\n", log.display());
        fs::write(&program, text).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }
    run(Command::new("/bin/sh")
        .arg(in_tree("packaging").join(script))
        .args(words)
        .env("PATH", folder.path()));
    fs::read_to_string(log).unwrap_or_default()
}

#[test]
fn neither_an_installation_nor_an_upgrade_starts_or_ends_a_server() {
    let cases: [(&str, &[&str]); 5] = [
        ("postinst", &["configure"]),
        ("postinst", &["configure", "0.1.0"]),
        ("prerm", &["upgrade", "0.2.0"]),
        ("postrm", &["upgrade", "0.2.0"]),
        ("postrm", &["remove"]),
    ];
    for (script, words) in cases {
        let asked = asked_of_systemd(script, words);
        for line in asked.lines() {
            let is_harmless = [
                "systemctl daemon-reload",
                "systemd-sysusers rialto.conf",
                "systemd-tmpfiles --create rialto.conf",
            ]
            .contains(&line);
            assert!(is_harmless, "{script} {words:?}: {line}");
        }
    }
    let asked = asked_of_systemd("postinst", &["configure"]);
    assert!(asked.contains("systemd-sysusers rialto.conf"), "{asked}");
    let asked = asked_of_systemd("postrm", &["purge"]);
    assert!(asked.contains("rm -rf /var/lib/rialto"), "{asked}");
}
