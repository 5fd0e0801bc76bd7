package coordinator

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Upload is a file that the runner uploaded for a job.
type Upload struct {
	Name   string // the file's name, such as "artifacts.zip"
	Type   string // "archive", or that of the report
	Format string // "zip", "gzip" or "raw"
	Data   []byte // as sent
}

// Files returns the content of an upload, by path. The content of a symbolic link is
// its target.
func (u Upload) Files() (map[string][]byte, error) {
	switch u.Format {
	case "zip":
		return unzip(u.Data)
	case "gzip":
		return gunzip(u.Data)
	}
	return map[string][]byte{u.Name: u.Data}, nil
}

// unzip returns the files of a zip, by name.
func unzip(data []byte) (map[string][]byte, error) {
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	files := make(map[string][]byte)
	for _, entry := range archive.File {
		if entry.FileInfo().IsDir() {
			continue
		}
		content, err := readZipEntry(entry)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", entry.Name, err)
		}
		files[entry.Name] = content
	}
	return files, nil
}

// readZipEntry returns the content of an entry of a zip.
func readZipEntry(entry *zip.File) ([]byte, error) {
	file, err := entry.Open()
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(file)
}

// gunzip returns the members of data by the file names in their headers.
func gunzip(data []byte) (map[string][]byte, error) {
	source := bytes.NewReader(data)
	reader, err := gzip.NewReader(source)
	files := make(map[string][]byte)
	for err == nil {
		reader.Multistream(false)
		name := reader.Name
		var content []byte
		if content, err = io.ReadAll(reader); err != nil {
			return nil, err
		}
		files[name] = content
		err = reader.Reset(source)
	}
	if !errors.Is(err, io.EOF) {
		return nil, err
	}
	return files, nil
}

// dotenv returns the variables in the dotenv reports of uploads.
func dotenv(uploads []Upload) []Variable {
	var variables []Variable
	for _, upload := range uploads {
		if upload.Type != "dotenv" {
			continue
		}
		files, err := upload.Files()
		if err != nil {
			continue // GitLab, too, drops a report that it cannot read.
		}
		for _, content := range files {
			for line := range strings.Lines(string(content)) {
				if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
					variables = append(variables, Variable{Key: key, Value: value})
				}
			}
		}
	}
	return variables
}
