//! A file that has its name when it is whole. The disk may take its time: nobody else waits for it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Datelike, Timelike};

/// Gathered before it is written.
const BUFFER_OCTETS: usize = 256 << 10;

pub(super) struct MrtFile {
    /// `None`: on its way to or from the disk, or lost there.
    file: Option<File>,
    part: PathBuf,
    name: PathBuf,
    pub buffer: Vec<u8>,
    written: u64,
    /// What there is of it is worth a name if it is broken off.
    is_stream: bool,
}

/// `rib.20261128.2200.mrt`; with seconds, where it begins within a minute.
fn name(kind: &str, at_s: u64) -> String {
    let at = DateTime::from_timestamp(at_s as i64, 0).unwrap_or_default();
    let (year, month, day) = (at.year(), at.month(), at.day());
    let mut name = format!(
        "{kind}.{year:04}{month:02}{day:02}.{:02}{:02}",
        at.hour(),
        at.minute()
    );
    if at.second() > 0 {
        name += &format!("{:02}", at.second());
    }
    name + ".mrt"
}

impl MrtFile {
    /// Makes the directory, too. A name that is taken gets that of the next second that is not.
    pub async fn create(
        directory: &Path,
        kind: &'static str,
        at_s: u64,
        is_stream: bool,
    ) -> io::Result<MrtFile> {
        let directory = directory.to_owned();
        blocking(move || {
            fs::create_dir_all(&directory)?;
            let mut names = (at_s..).map(|at_s| directory.join(name(kind, at_s)));
            let is_free = |name: &PathBuf| !name.exists();
            let name = names.find(is_free).unwrap_or_default();
            let part = name.with_extension("mrt.part");
            Ok(MrtFile {
                file: Some(File::create(&part)?),
                part,
                name,
                buffer: Vec::new(),
                written: 0,
                is_stream,
            })
        })
        .await
    }

    /// When enough has come together.
    pub async fn write_if_full(&mut self) -> io::Result<()> {
        match self.buffer.len() >= BUFFER_OCTETS {
            true => self.write().await,
            false => Ok(()),
        }
    }

    pub async fn write(&mut self) -> io::Result<()> {
        let buffer = std::mem::take(&mut self.buffer);
        let lost = || io::Error::other("an earlier piece could not be written");
        let mut file = self.file.take().ok_or_else(lost)?;
        self.written += buffer.len() as u64;
        let written = blocking(move || {
            file.write_all(&buffer)?;
            Ok((file, buffer))
        });
        let (file, mut buffer) = written.await?;
        buffer.clear();
        (self.file, self.buffer) = (Some(file), buffer);
        Ok(())
    }

    /// The whole file, and how long it is.
    pub async fn finish(mut self) -> io::Result<(PathBuf, u64)> {
        self.write().await?;
        let (part, name) = (self.part.clone(), self.name.clone());
        blocking(move || fs::rename(part, name)).await?;
        self.part = PathBuf::new();
        Ok((self.name.clone(), self.written))
    }
}

/// At the end of the process a stream has its last piece written.
impl Drop for MrtFile {
    fn drop(&mut self) {
        if self.part.as_os_str().is_empty() {
            return;
        }
        let written = self
            .file
            .take()
            .map(|mut file| file.write_all(&self.buffer));
        let _ = match (self.is_stream, written) {
            (true, Some(Ok(()))) => fs::rename(&self.part, &self.name),
            // What could not be written whole keeps the name that says so.
            (true, _) => Ok(()),
            (false, _) => fs::remove_file(&self.part),
        };
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(io::Error::other(error)))
}
