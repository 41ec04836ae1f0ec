package imap

import (
	"bytes"
	"io"
	"strings"

	"github.com/emersion/go-message/mail"
)

// mostText is how much of a mail is looked at.
const mostText = 64 << 10

// read returns whom a mail is for, in lower case, and its text, with what of it
// could be read.
func read(raw []byte) (addresses []string, text string) {
	r, err := mail.CreateReader(bytes.NewReader(raw))
	if err != nil {
		return nil, ""
	}
	defer r.Close()
	seen := map[string]bool{}
	for _, field := range []string{"To", "Delivered-To", "X-Original-To"} {
		list, err := r.Header.AddressList(field)
		if err != nil {
			continue // another field may name the address
		}
		for _, a := range list {
			if address := strings.ToLower(a.Address); !seen[address] {
				seen[address] = true
				addresses = append(addresses, address)
			}
		}
	}
	subject, err := r.Header.Subject()
	if err != nil {
		subject = ""
	}
	return addresses, subject + "\n" + texts(r)
}

// texts joins the parts that people read, plain text first where there is any.
func texts(r *mail.Reader) string {
	var b strings.Builder
	for {
		part, err := r.NextPart()
		if err != nil { // the end, or what lies beyond mostText
			return b.String()
		}
		if _, ok := part.Header.(*mail.InlineHeader); !ok {
			continue
		}
		_, err = io.Copy(&b, part.Body)
		b.WriteString("\n")
		if err != nil {
			return b.String()
		}
	}
}
