package otpgateway

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"matriq/pkg/rest"
)

// csvRows reads a CSV file line by line as it arrives, rows counting from 1 with
// the header's line. Lines end with LF or CRLF, fields with comma, semicolon or
// tab, whichever the first line has most of; a byte order mark and empty lines
// are skipped. A quoted field may not hold a line break, so that a quote left
// open ruins no other line.
//
// The addresses are in the column that the first line names email, e-mail or
// อีเมล. Without such a header they are in the first column, which then has to
// hold an address in the first line, unless it is the only one.
func csvRows(body io.Reader) rows {
	return func(yield func(row, error) bool) {
		f := &csvFile{lines: bufio.NewReaderSize(body, maxRow)}
		for {
			line, err := f.next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(row{}, f.explain(err))
				return
			}
			r, ok, err := f.row(line)
			if err != nil {
				yield(row{}, err)
				return
			}
			if ok && !yield(r, nil) {
				return
			}
		}
	}
}

type csvFile struct {
	lines   *bufio.Reader
	number  int // of the line read last
	started bool
	comma   rune
	column  int
}

// line is one line without its end, or the beginning of one that is too long.
type line struct {
	text    string
	tooLong bool
}

// next reads the next line. It holds no more than maxRow bytes of it.
func (f *csvFile) next() (line, error) {
	text, err := f.lines.ReadSlice('\n')
	if len(text) == 0 && err != nil {
		return line{}, err
	}
	l := line{text: string(bytes.TrimRight(text, "\r\n")), tooLong: errors.Is(err, bufio.ErrBufferFull)}
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = f.lines.ReadSlice('\n')
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return line{}, err
	}
	if f.number++; f.number == 1 {
		l.text = strings.TrimPrefix(l.text, "\ufeff")
	}
	return l, nil
}

// row turns a line into a row; ok is false for a line that is none.
func (f *csvFile) row(l line) (r row, ok bool, err error) {
	r = row{number: f.number, value: l.text}
	if l.tooLong {
		r.reason = reasonTooLong
		return r, true, nil
	}
	if strings.TrimSpace(l.text) == "" {
		return r, false, nil
	}
	if !f.started {
		f.started = true
		if header, err := f.start(l.text); header || err != nil {
			return r, false, err
		}
	}
	fields, err := f.fields(l.text)
	switch {
	case err != nil:
		r.reason = reasonBadQuotes
	case f.column < len(fields):
		r.value = fields[f.column]
	default:
		r.value = ""
	}
	return r, true, nil
}

// start learns from the first line what separates fields and which column has
// the addresses, and tells whether that line is a header.
func (f *csvFile) start(first string) (header bool, err error) {
	f.comma = separator(first)
	fields, err := f.fields(first)
	if err != nil {
		return false, nil //nolint:nilerr // a bad line is a rejected row, the first one too
	}
	if i := slices.IndexFunc(fields, isEmailHeader); i >= 0 {
		f.column = i
		return true, nil
	}
	filled := slices.IndexFunc(fields[1:], func(field string) bool { return strings.TrimSpace(field) != "" }) >= 0
	if filled && !strings.Contains(fields[0], "@") {
		return false, rest.Refuse(rest.NoEmailColumn, "Name the column of addresses %q in the first line.", "email")
	}
	return false, nil
}

// separator returns the separator that line has most of.
func separator(line string) rune {
	best, most := ',', 0
	for _, candidate := range []rune{',', ';', '\t'} {
		if n := strings.Count(line, string(candidate)); n > most {
			best, most = candidate, n
		}
	}
	return best
}

func isEmailHeader(field string) bool {
	name := strings.ToLower(strings.TrimSpace(field))
	return slices.Contains([]string{"email", "e-mail", "emails", "อีเมล"}, name)
}

// fields cuts one line.
func (f *csvFile) fields(line string) ([]string, error) {
	if !strings.Contains(line, `"`) {
		return strings.Split(line, string(f.comma)), nil
	}
	r := csv.NewReader(strings.NewReader(line))
	r.Comma = f.comma
	r.FieldsPerRecord = -1
	return r.Read()
}

// explain tells how far the file could be read.
func (f *csvFile) explain(err error) error {
	told, ok := errors.AsType[*rest.Error](err)
	if !ok {
		return fmt.Errorf("read line %d: %w", f.number+1, err)
	}
	explained := *told
	explained.Detail += after(f.number)
	return &explained
}

// after ends the explanation of a list that broke off.
func after(rows int) string {
	return fmt.Sprintf(" Before that %d rows were read and are done; the report has them.", rows)
}
