package otpgateway

import (
	"encoding/json"
	"errors"
	"io"

	"matriq/pkg/rest"
)

// Reasons of rows that are rejected before otp sees them.
const (
	reasonWrongType = rest.WrongType
	reasonTooLong   = "row_too_long"
	reasonBadQuotes = "bad_quotes"
)

// maxRow is how long a row may be, in bytes.
const maxRow = 4 << 10

// jsonRows reads {"emails":[…]} as it arrives. A row that is no string is
// rejected; anything else than this one object ends the list with an error.
func jsonRows(body io.Reader) rows {
	return func(yield func(row, error) bool) {
		window := &window{r: body, ahead: maxRow}
		l := &jsonList{d: json.NewDecoder(window), window: window}
		if err := l.read(yield); err != nil && !errors.Is(err, errEnough) {
			yield(row{}, l.explain(err))
		}
	}
}

// errEnough ends a list that nobody reads on.
var errEnough = errors.New("no more rows are wanted")

type jsonList struct {
	d      *json.Decoder
	window *window
	number int // rows read
}

func (l *jsonList) read(yield func(row, error) bool) error {
	if err := l.want(json.Delim('{'), rest.WrongType, "The body must be a JSON object."); err != nil {
		return err
	}
	seen := false
	for l.d.More() {
		if err := l.key(&seen); err != nil {
			return err
		}
		if err := l.list(yield); err != nil {
			return err
		}
	}
	if err := l.want(json.Delim('}'), rest.BadJSON, "The object does not end."); err != nil {
		return err
	}
	if !seen {
		return rest.Refuse(rest.MissingField, "The key %q is missing.", "emails")
	}
	return l.end()
}

// want reads one token.
func (l *jsonList) want(token json.Delim, reason, detail string) error {
	got, err := l.d.Token()
	if err != nil {
		return err
	}
	if got != token {
		return rest.Refuse(reason, "%s", detail)
	}
	return nil
}

// key reads the one key there is.
func (l *jsonList) key(seen *bool) error {
	key, err := l.d.Token()
	switch {
	case err != nil:
		return err
	case key != "emails":
		return rest.Refuse(rest.UnknownField, "The key %.50q is not %q.", key, "emails")
	case *seen:
		return rest.Refuse(rest.DuplicateKey, "The key %q is given twice.", "emails")
	}
	*seen = true
	return nil
}

func (l *jsonList) list(yield func(row, error) bool) error {
	if err := l.want(json.Delim('['), rest.WrongType, `The value of "emails" must be a list.`); err != nil {
		return err
	}
	for l.d.More() {
		l.window.seen(l.d.InputOffset())
		var value json.RawMessage
		if err := l.d.Decode(&value); err != nil {
			return err
		}
		l.number++
		if !yield(l.row(value), nil) {
			return errEnough
		}
	}
	return l.want(json.Delim(']'), rest.BadJSON, "The list does not end.")
}

func (l *jsonList) row(value json.RawMessage) row {
	r := row{number: l.number}
	if json.Unmarshal(value, &r.value) != nil || value[0] != '"' {
		r.value, r.reason = string(value), reasonWrongType
	}
	return r
}

// end sees to it that nothing follows.
func (l *jsonList) end() error {
	l.window.seen(l.d.InputOffset())
	if _, err := l.d.Token(); !errors.Is(err, io.EOF) {
		return rest.Refuse(rest.BadJSON, "Something follows after the object.")
	}
	return nil
}

// explain tells how far the list could be read.
func (l *jsonList) explain(err error) error {
	told, ok := errors.AsType[*rest.Error](err)
	switch {
	case errors.Is(err, errTooFar):
		told = rest.Refuse(rest.BadJSON, "A row is longer than %d bytes.", maxRow)
	case !ok:
		told = rest.Refuse(rest.BadJSON, "The body is not JSON.")
	}
	if l.number > 0 {
		explained := *told
		explained.Detail += after(l.number)
		return &explained
	}
	return told
}

var errTooFar = errors.New("a value is too long")

// window keeps a decoder from reading, and holding, more than ahead bytes beyond
// what it has decoded.
type window struct {
	r       io.Reader
	ahead   int64
	read    int64
	decoded int64
}

func (w *window) seen(offset int64) { w.decoded = offset }

func (w *window) Read(p []byte) (int, error) {
	room := w.decoded + w.ahead - w.read
	if room <= 0 {
		return 0, errTooFar
	}
	n, err := w.r.Read(p[:min(int64(len(p)), room)])
	w.read += int64(n)
	return n, err
}
