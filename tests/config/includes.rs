//! Files that a configuration includes: found, or told.

use std::fs;

use rialto::config::load;

#[test]
fn included_files_are_read_and_their_problems_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("clients.d")).unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let main = "include = [\"clients.d/*.toml\"]\n[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n[cores]\nshards = 2\n";
    write("rialto.toml", main);
    write(
        "clients.d/b.toml",
        "[[client]]\nasn = 2\naddress = \"192.0.2.8\"\n",
    );
    write(
        "clients.d/a.toml",
        "[[client]]\nasn = 1\naddress = \"192.0.2.7\"\n",
    );
    let config = load(&folder.path().join("rialto.toml")).unwrap();
    let names = config
        .clients
        .iter()
        .map(|client| client.name.as_str())
        .collect::<Vec<_>>();
    assert_eq!(
        names,
        ["AS1-1", "AS2-1"],
        "files of a pattern are read in the order of their names"
    );

    write(
        "clients.d/b.toml",
        "include = []\n[cores]\nshards = 3\n[[client]]\nasn = 2\naddress = \"192.0.2.7\"\n",
    );
    let problems = load(&folder.path().join("rialto.toml")).unwrap_err();
    let shown = problems
        .iter()
        .map(|problem| format!("{}", problem))
        .collect::<Vec<_>>();
    assert_eq!(shown.len(), 3, "{problems}");
    assert!(
        shown[0].contains("b.toml:1: error: include: an included file includes no others"),
        "{problems}"
    );
    assert!(
        shown[1].contains("b.toml:2: error: cores: stands in")
            && shown[1].contains("rialto.toml:5 already"),
        "{problems}"
    );
    assert!(
        shown[2].contains("b.toml:4: error: client.address: 192.0.2.7 is the client at"),
        "{problems}"
    );
}

#[test]
fn an_include_that_names_no_file_is_an_error() {
    let cases = [
        ("a file that is there", "clients.d/a.toml", None),
        (
            "a file that is not",
            "no-such.toml",
            Some(
                "error: include: there is no file 'no-such.toml'; correct it, create such a file (it may be empty), or remove it",
            ),
        ),
        (
            "a pattern in a folder that is not there",
            "client.d/*.toml",
            Some(
                "error: include: 'client.d/*.toml' matches no file: there is no folder 'client.d'; correct it",
            ),
        ),
        (
            "a folder that is none",
            "clients.d/a.toml/*.toml",
            Some("error: include: 'clients.d/a.toml/*.toml' matches no file: there is no folder"),
        ),
        (
            "a pattern that misses the files of the folder",
            "clients.d/*.tmol",
            Some(
                "error: include: 'clients.d/*.tmol' matches no file, and there are others in the folder",
            ),
        ),
        (
            "a pattern in the file's own folder",
            "*.client",
            Some("error: include: '*.client' matches no file, and there are others"),
        ),
        (
            "a wildcard in the name of a folder",
            "*.d/*.tmol",
            Some("error: include: '*.d/*.tmol' matches no file, and there are others"),
        ),
        (
            "a folder without files",
            "empty.d/*.toml",
            Some(
                "error: include: 'empty.d/*.toml' matches no file: the folder is empty; correct it, create",
            ),
        ),
        (
            "a link to nothing",
            "links.d/*.toml",
            Some("error: include: cannot read"),
        ),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for name in ["clients.d", "empty.d", "links.d"] {
        fs::create_dir(path(name)).unwrap();
    }
    fs::write(path("empty.d/.keep"), "").unwrap();
    fs::write(path("clients.d/a.toml"), "").unwrap();
    std::os::unix::fs::symlink("nowhere", path("links.d/a.toml")).unwrap();
    for (name, pattern, expected) in cases {
        let text = format!(
            "\n\ninclude = [\"{pattern}\"]\n[server]\nasn = 64500\nrouter_id = \"192.0.2.1\"\n"
        );
        fs::write(path("rialto.toml"), text).unwrap();
        let problems = match load(&path("rialto.toml")) {
            Ok(config) => config.warnings,
            Err(problems) => problems,
        };
        let shown = problems.to_string();
        let is_told = match expected {
            None => shown.is_empty(),
            Some(words) => {
                problems.iter().count() == 1 && shown.contains(&format!("rialto.toml:3: {words}"))
            }
        };
        assert!(is_told, "{name}: {shown}");
    }
}
