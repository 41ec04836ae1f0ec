package mailsink_test

import (
	"context"
	"fmt"
	"net"
	"net/smtp"

	"matriq/pkg/mailsink"
)

func Example() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	sink := mailsink.New(mailsink.Options{})
	go func() { _ = sink.ServeSMTP(ctx, l) }()

	err = smtp.SendMail(l.Addr().String(), nil, "matriq@x.th", []string{"a@x.th"}, []byte("Subject: hello\r\n\r\nworld\r\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := sink.Wait(ctx, func(m mailsink.Message) bool { return m.To == "a@x.th" })
	fmt.Println(m.Subject, err)
	// Output: hello <nil>
}
