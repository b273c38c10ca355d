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
    /// Makes the directory, too. A name that is taken gets that of the next second that is not; so does one
    /// of which a part was left behind.
    pub async fn create(
        directory: &Path,
        kind: &'static str,
        at_s: u64,
        is_stream: bool,
    ) -> io::Result<MrtFile> {
        let directory = directory.to_owned();
        blocking(move || {
            fs::create_dir_all(&directory)?;
            let names = (at_s..).map(|at_s| directory.join(name(kind, at_s)));
            for name in names.filter(|name| !name.exists()) {
                let part = name.with_extension("mrt.part");
                let file = match File::create_new(&part) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                    file => file?,
                };
                return Ok(MrtFile {
                    file: Some(file),
                    part,
                    name,
                    buffer: Vec::new(),
                    written: 0,
                    is_stream,
                });
            }
            Err(io::Error::other("no name is left"))
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

    /// The whole file, and how long it is. It has its name when it is on the disk.
    pub async fn finish(mut self) -> io::Result<(PathBuf, u64)> {
        self.write().await?;
        let (part, name, file) = (self.part.clone(), self.name.clone(), self.file.take());
        blocking(move || {
            file.map_or(Ok(()), |file| file.sync_data())?;
            fs::rename(part, name)
        })
        .await?;
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

#[cfg(test)]
mod tests {
    use super::*;

    /// On a disk that is full.
    fn full(directory: &Path, is_stream: bool) -> MrtFile {
        let part = directory.join("x.mrt.part");
        fs::write(&part, "what was written before").unwrap();
        MrtFile {
            file: Some(File::options().write(true).open("/dev/full").unwrap()),
            part,
            name: directory.join("x.mrt"),
            buffer: vec![7; BUFFER_OCTETS],
            written: 0,
            is_stream,
        }
    }

    #[tokio::test]
    async fn a_full_disk_is_told_and_only_a_stream_leaves_what_there_is_and_not_under_its_name() {
        for (is_stream, left) in [(false, &[][..]), (true, &["x.mrt.part"])] {
            let directory = tempfile::tempdir().unwrap();
            let mut file = full(directory.path(), is_stream);
            let error = file.write_if_full().await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::StorageFull, "{error}");
            let again = file.write().await.unwrap_err();
            assert!(again.to_string().contains("earlier piece"), "{again}");
            assert!(file.finish().await.is_err());
            let entries = fs::read_dir(directory.path()).unwrap();
            let names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
            assert_eq!(names, left);
        }
    }

    #[tokio::test]
    async fn what_is_there_is_never_touched() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let there = ["rib.19700101.0000.mrt", "rib.19700101.000001.mrt.part"];
        there
            .iter()
            .for_each(|name| fs::write(at(name), name).unwrap());
        let mut file = MrtFile::create(directory.path(), "rib", 0, false)
            .await
            .unwrap();
        file.buffer.extend_from_slice(b"new");
        let (name, octets) = file.finish().await.unwrap();
        assert_eq!((name, octets), (at("rib.19700101.000002.mrt"), 3));
        for name in there {
            assert_eq!(fs::read_to_string(at(name)).unwrap(), name);
        }
    }
}
