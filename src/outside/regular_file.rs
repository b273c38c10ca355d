//! Whole files that are files: a FIFO would keep its reader waiting, a device may never end. Knows nothing of
//! what is in them.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The longest file that is read: all VRPs of the world, with their certificates, are a tenth of that.
pub const OCTETS_MAX: u64 = 1 << 30;

/// What the file holds, or an error that says why it is not read.
pub fn read(file: &Path, octets_max: u64) -> io::Result<Vec<u8>> {
    // To open it may be enough to wait, or to set something going.
    check(&std::fs::metadata(file)?, octets_max)?;
    let mut options = OpenOptions::new();
    let opened = options.read(true).custom_flags(libc::O_NONBLOCK);
    let opened = opened.open(file)?;
    // It may have become something else since.
    let metadata = opened.metadata()?;
    check(&metadata, octets_max)?;
    let mut octets = Vec::with_capacity(metadata.len() as usize);
    opened.take(octets_max + 1).read_to_end(&mut octets)?;
    match octets.len() as u64 > octets_max {
        true => Err(too_long(octets_max)),
        false => Ok(octets),
    }
}

fn check(metadata: &std::fs::Metadata, octets_max: u64) -> io::Result<()> {
    if metadata.is_dir() {
        return Err(io::Error::from(io::ErrorKind::IsADirectory));
    }
    if !metadata.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    match metadata.len() > octets_max {
        true => Err(too_long(octets_max)),
        false => Ok(()),
    }
}

fn too_long(octets_max: u64) -> io::Error {
    io::Error::other(format!("it is longer than {octets_max} octets"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn only_files_are_read_and_no_long_ones() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("short"), "four").expect("it can be written");
        std::fs::write(at("long"), "fives").expect("it can be written");
        std::os::unix::fs::symlink(at("short"), at("link")).expect("it can be made");
        let made = std::process::Command::new("mkfifo")
            .arg(at("fifo"))
            .status();
        assert!(made.expect("it can be run").success());
        let _socket = UnixListener::bind(at("socket")).expect("it can be bound");
        let cases = [
            ("short", Ok("four")),
            ("link", Ok("four")),
            ("long", Err("it is longer than 4 octets")),
            ("fifo", Err("it is no regular file")),
            ("socket", Err("it is no regular file")),
            (".", Err("is a directory")),
            ("/dev/zero", Err("it is no regular file")),
            ("nowhere", Err("No such file or directory (os error 2)")),
        ];
        for (name, expected) in cases {
            let found = read(&at(name), 4).map_err(|error| error.to_string());
            let found = found
                .as_ref()
                .map(|octets| std::str::from_utf8(octets).expect("UTF-8"));
            assert_eq!(found.map_err(String::as_str), expected, "{name}");
        }
    }
}
