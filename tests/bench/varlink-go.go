// SPDX-License-Identifier: LGPL-2.1-or-later

// The service of bench-varlink on varlink-go's server: varlink-go SOCKET.
package main

import (
	"context"
	"os"

	"github.com/varlink/go/varlink"
)

type echo struct{}

func (echo) VarlinkGetName() string { return "org.example.bench" }

func (echo) VarlinkGetDescription() string {
	return "interface org.example.bench\nmethod Echo(text: string) -> (text: string)\n"
}

func (echo) VarlinkDispatch(ctx context.Context, call varlink.Call, method string) error {
	var text struct {
		Text string `json:"text"`
	}

	if method != "Echo" {
		return call.ReplyMethodNotFound(ctx, method)
	}
	if err := call.GetParameters(&text); err != nil {
		return call.ReplyInvalidParameter(ctx, "text")
	}
	return call.Reply(ctx, &text)
}

func main() {
	service, err := varlink.NewService("", "", "", "")
	if err == nil {
		err = service.RegisterInterface(echo{})
	}
	if err == nil {
		err = service.Listen(context.Background(), "unix:"+os.Args[1], 0)
	}
	if err != nil {
		panic(err)
	}
}
