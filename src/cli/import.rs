//! `rialto import`.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::adopt::{self, Adopted, SessionKey, told};

use super::args::{ArouteserverArgs, Import, IxfArgs};
use super::{Outcome, count, print};

#[derive(Debug, thiserror::Error)]
enum ImportError {
    #[error(transparent)]
    Adopt(#[from] adopt::AdoptError),
    #[error("cannot write {}: {error}", file.display())]
    Write {
        file: PathBuf,
        error: std::io::Error,
    },
}

pub fn import(from: &Import) -> Outcome {
    let imported = match from {
        Import::Arouteserver(args) => arouteserver(args),
        Import::Ixf(args) => ixf(args),
    };
    match imported {
        Ok(()) => Outcome::Well,
        Err(error) => {
            eprintln!("rialto import: {error}");
            Outcome::Wrong
        }
    }
}

fn arouteserver(args: &ArouteserverArgs) -> Result<(), ImportError> {
    let keys = args.keys.as_ref().map(|folder| folder.to_string_lossy());
    let adopted = adopt::arouteserver::adopt(&adopt::arouteserver::Files {
        general: &args.general,
        clients: &args.clients,
        bogons: args.bogons.as_deref(),
        keys: keys.as_deref(),
        environment: &|name| std::env::var(name).ok(),
    })?;
    let output = args.output.output.as_deref();
    // Like Rialto reads it: from the folder of the configuration.
    let folder = output.and_then(Path::parent).unwrap_or(Path::new(""));
    for key in &adopted.keys {
        write_key(&folder.join(&key.file), key)?;
    }
    tell(&adopted, output)
}

fn ixf(args: &IxfArgs) -> Result<(), ImportError> {
    let text = std::fs::read_to_string(&args.export).map_err(|error| {
        ImportError::Adopt(adopt::AdoptError::Read {
            file: args.export.clone(),
            error,
        })
    })?;
    let name = args.export.file_name().unwrap_or_default();
    let choice = adopt::ixf::Choice {
        ixp: args.ixp,
        vlan: args.vlan,
        server_asn: args.server_asn,
        router_id: args.router_id,
        all: args.all,
    };
    let adopted = adopt::ixf::adopt(&name.to_string_lossy(), &text, &choice)?;
    tell(&adopted, args.output.output.as_deref())
}

/// The configuration to where it belongs, the list to standard error.
fn tell(adopted: &Adopted, output: Option<&Path>) -> Result<(), ImportError> {
    match output {
        Some(file) => write(file, adopted.text.as_bytes(), 0o644)?,
        None => print(&adopted.text),
    }
    let clients = count(adopted.client_count, "client");
    let notes = count(adopted.notes.len(), "remark");
    eprint!(
        "rialto import: {clients}, {notes}\n{}",
        told(&adopted.notes, "")
    );
    Ok(())
}

fn write_key(file: &Path, key: &SessionKey) -> Result<(), ImportError> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(|error| ImportError::Write {
            file: folder.to_owned(),
            error,
        })?;
    }
    write(file, format!("{}\n", key.key).as_bytes(), 0o600)
}

/// Beside it first, so that there is never half a file.
fn write(file: &Path, octets: &[u8], mode: u32) -> Result<(), ImportError> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&beside)
        .and_then(|mut to| {
            // One left behind by an interrupted run may have another mode.
            to.set_permissions(std::fs::Permissions::from_mode(mode))?;
            to.write_all(octets)?;
            to.sync_all()
        })
        .and_then(|()| std::fs::rename(&beside, file));
    written.map_err(|error| ImportError::Write {
        file: file.to_owned(),
        error,
    })
}
