package load

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"

	"matriq/pkg/api/restapi"
)

// People come in the order of their list, each once.
type People struct {
	emails []string
	came   atomic.Int64
}

// NewPeople has one person for each address.
func NewPeople(emails []string) *People { return &People{emails: emails} }

// ReadPeople reads one address a line, or a CSV whose header has a column
// "email", as matriq import does.
func ReadPeople(r io.Reader) (*People, error) {
	rows := csv.NewReader(bufio.NewReader(r))
	rows.FieldsPerRecord, rows.ReuseRecord, rows.TrimLeadingSpace = -1, true, true
	p, column := &People{}, 0
	for first := true; ; first = false {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read the addresses: %w", err)
		}
		if at := slices.IndexFunc(row, isHeader); first && at >= 0 {
			column = at
			continue
		}
		if column < len(row) && strings.Contains(row[column], "@") {
			p.emails = append(p.emails, strings.Clone(strings.TrimSpace(row[column])))
		}
	}
	if len(p.emails) == 0 {
		return nil, errors.New("there is no address in it")
	}
	return p, nil
}

func isHeader(cell string) bool {
	return strings.EqualFold(strings.Trim(cell, " \ufeff"), "email")
}

// Len is how many there are.
func (p *People) Len() int { return len(p.emails) }

// Skip has the next n people not come: they came in a run before.
func (p *People) Skip(n int) { p.came.Add(int64(n)) }

// next is the next who comes, false when everybody has come.
func (p *People) next() (restapi.RegisterRequest, bool) {
	i := p.came.Add(1) - 1
	if i >= int64(len(p.emails)) {
		return restapi.RegisterRequest{}, false
	}
	return restapi.RegisterRequest{
		Email: p.emails[i], Firstname: "Malee " + letters(i), Lastname: "Jaidee " + letters(i),
	}, true
}

// letters writes a number so that it can be part of a name.
func letters(i int64) string {
	return strings.Map(func(digit rune) rune { return digit - '0' + 'A' }, fmt.Sprint(i))
}
