package mailsink

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"
)

// maxDepth is how deep multiparts may nest.
const maxDepth = 8

var errDeep = errors.New("the parts nest too deep")

// parse reads a mail. Attachments stay in Raw alone, and so do characters that
// are not UTF-8: they show as replacement characters.
func parse(raw []byte) (Message, error) {
	m := Message{Raw: raw}
	parsed, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return m, fmt.Errorf("read the header: %w", err)
	}
	m.Header = parsed.Header
	m.Lang = utf8(parsed.Header.Get("Content-Language"))
	m.Subject = decodeWords(parsed.Header.Get("Subject"))
	if err := m.addPart(textproto.MIMEHeader(parsed.Header), parsed.Body, 0); err != nil {
		return m, fmt.Errorf("read the body: %w", err)
	}
	return m, nil
}

// decodeWords decodes encoded words, and leaves alone what it cannot decode.
func decodeWords(header string) string {
	decoded, err := new(mime.WordDecoder).DecodeHeader(header)
	if err != nil {
		return utf8(header)
	}
	return utf8(decoded)
}

func utf8(s string) string { return strings.ToValidUTF8(s, "\ufffd") }

// addPart takes over the first text and the first HTML that it finds.
func (m *Message) addPart(h textproto.MIMEHeader, body io.Reader, depth int) error {
	kind, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		kind = "text/plain"
	}
	if strings.HasPrefix(kind, "multipart/") {
		return m.addParts(multipart.NewReader(body, params["boundary"]), depth+1)
	}
	into := map[string]*string{"text/plain": &m.Text, "text/html": &m.HTML}[kind]
	if into == nil || *into != "" || strings.HasPrefix(h.Get("Content-Disposition"), "attachment") {
		return nil
	}
	content, err := io.ReadAll(decoder(h.Get("Content-Transfer-Encoding"), body))
	if err != nil {
		return err
	}
	*into = utf8(strings.ReplaceAll(string(content), "\r\n", "\n"))
	return nil
}

func (m *Message) addParts(parts *multipart.Reader, depth int) error {
	if depth > maxDepth {
		return errDeep
	}
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := m.addPart(part.Header, part, depth); err != nil {
			return err
		}
	}
}

func decoder(encoding string, body io.Reader) io.Reader {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "quoted-printable":
		return quotedprintable.NewReader(body)
	case "base64":
		return base64.NewDecoder(base64.StdEncoding, body)
	}
	return body
}
