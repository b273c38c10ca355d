//! How sessions are called in the protocols of other looking glasses.

use rialto::base::Family;
use rialto::config::session_names;

use super::{SERVER, good, read};

/// A client: ASN, address, further keys.
type Written<'a> = (u32, &'a str, &'a str);

/// What it shows, sections, clients, families, session names.
type Case<'a> = (
    &'a str,
    &'a str,
    &'a [Written<'a>],
    Option<Family>,
    &'a [&'a str],
);

fn names(section: &str, clients: &[Written<'_>], only: Option<Family>) -> Vec<String> {
    let config = good(&written(section, clients));
    let names = session_names(&config.clients, only).into_iter();
    names.map(Option::unwrap_or_default).collect()
}

fn written(section: &str, clients: &[Written<'_>]) -> String {
    let client = |(asn, address, keys): &Written<'_>| {
        format!("[[client]]\nasn = {asn}\naddress = \"{address}\"\n{keys}\n")
    };
    let clients: String = clients.iter().map(client).collect();
    format!("{section}\n{clients}")
}

#[test]
fn sessions_are_called_what_the_operator_says() {
    const TEMPLATE: &str =
        "[looking_glass]\nsession_name = \"pb_as{asn}_{address}_ipv{ip_version}\"\n";
    const V4: Option<Family> = Some(Family::Ipv4);
    const V6: Option<Family> = Some(Family::Ipv6);
    let both = [
        (10, "192.0.2.1", "session_name = \"pb_0001_as10\""),
        (10, "2001:db8::1", "session_name = \"pb_0001_as10\""),
    ];
    let cases: [Case<'_>; 8] = [
        (
            "by default like the client, in letters that IXP Manager takes",
            "",
            &[(10, "192.0.2.1", ""), (11, "192.0.2.2", "name = \"a.b-c\"")],
            None,
            &["AS10_1", "a_b_c"],
        ),
        (
            "names that differ in other letters only are told apart",
            "",
            &[
                (10, "192.0.2.1", "name = \"a-b\""),
                (10, "192.0.2.2", "name = \"a.b\""),
                (10, "192.0.2.3", "session_name = \"a_b_2\""),
            ],
            None,
            &["a_b", "a_b_3", "a_b_2"],
        ),
        (
            "a name of its own is stronger than the template",
            TEMPLATE,
            &[
                (10, "192.0.2.1", ""),
                (10, "2001:db8::1", ""),
                (11, "192.0.2.2", "session_name = \"x\""),
            ],
            None,
            &["pb_as10_192_0_2_1_ipv4", "pb_as10_2001_db8__1_ipv6", "x"],
        ),
        (
            "both families under one name: together, the IPv6 one has an ending",
            "",
            &both,
            None,
            &["pb_0001_as10", "pb_0001_as10_ipv6"],
        ),
        ("IPv4 alone", "", &both, V4, &["pb_0001_as10", ""]),
        ("IPv6 alone", "", &both, V6, &["", "pb_0001_as10"]),
        (
            "a session of both families is looked at with either",
            "",
            &[(
                10,
                "192.0.2.1",
                "families = [\"ipv4\", \"ipv6\"]\nnext_hops = [\"2001:db8::1\"]",
            )],
            V6,
            &["AS10_1"],
        ),
        ("nobody", "", &[], None, &[]),
    ];
    for (name, section, clients, only, expected) in cases {
        assert_eq!(names(section, clients, only), expected, "{name}");
    }
}

#[test]
fn names_that_nobody_could_look_for_are_told() {
    let one = |keys| written("", &[(10, "192.0.2.1", keys)]);
    let section = |value: &str| {
        let section = format!("[looking_glass]\nsession_name = {value}\n");
        written(&section, &[(10, "192.0.2.1", ""), (10, "192.0.2.2", "")])
    };
    let cases = [
        (
            one("session_name = \"pb-1\""),
            "client.session_name",
            "letters, digits and _",
        ),
        (
            one("session_name = \"\""),
            "client.session_name",
            "letters, digits and _",
        ),
        (
            one("session_name = 1"),
            "client.session_name",
            "letters, digits and _",
        ),
        (
            section("\"{nam}\""),
            "looking_glass.session_name",
            "{name}, {asn}",
        ),
        (
            section("\"pb-{asn}\""),
            "looking_glass.session_name",
            "{name}, {asn}",
        ),
        (section("7"), "looking_glass.session_name", "a text such as"),
        (
            section("\"pb_{asn}\""),
            "client.session_name",
            "pb_10 is the session of AS10-1 already",
        ),
        (
            written(
                "",
                &[
                    (10, "192.0.2.1", "session_name = \"x\""),
                    (10, "2001:db8::1", "session_name = \"x\""),
                    (10, "2001:db8::2", "session_name = \"x_ipv6\""),
                ],
            ),
            "client.session_name",
            "x_ipv6 is the session of AS10-2 already",
        ),
        (
            "[looking_glass]\ncache_s = 0\n".to_owned(),
            "looking_glass.cache_s",
            "1 to 3600",
        ),
    ];
    for (text, key, words) in cases {
        let problems = read(&format!("{SERVER}{text}"))
            .expect_err(&text)
            .to_string();
        assert!(
            problems.contains(key) && problems.contains(words),
            "{text}\n{problems}"
        );
    }
}

#[test]
fn the_examples_of_the_page_are_good() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/looking-glasses.md")).expect("the page");
    let examples = page.split("```toml\n").skip(1);
    let examples: String = examples
        .filter_map(|rest| rest.split("```\n").next())
        .collect();
    let config = good(&examples);
    assert_eq!(config.clients.len(), 2);
    assert_eq!(
        config.looking_glass,
        rialto::config::LookingGlass::default()
    );
}
