package fakests

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net"
	"net/http"
	"time"
)

// requestID is the request id in every answer.
const requestID = "01234567-89ab-cdef-0123-456789abcdef"

// errorResponse is the XML of a refusal.
type errorResponse struct {
	XMLName   xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ ErrorResponse"`
	Type      string   `xml:"Error>Type"`
	Code      string   `xml:"Error>Code"`
	Message   string   `xml:"Error>Message"`
	RequestID string   `xml:"RequestId"`
}

// Error answers with an error of STS.
func Error(status int, code, message string) Answer {
	return func(x *Exchange) {
		fault := "Sender"
		if status >= 500 {
			fault = "Receiver"
		}
		writeXML(x, status, errorResponse{Type: fault, Code: code, Message: message, RequestID: requestID})
	}
}

// HTML answers with an HTML page, as a proxy or load balancer does.
func HTML(status int) Answer {
	return func(x *Exchange) {
		x.Header().Set("Content-Type", "text/html")
		x.WriteHeader(status)
		_, _ = fmt.Fprintf(x, "<html><body><h1>%d %s</h1></body></html>\n", status, http.StatusText(status))
	}
}

// Huge answers with n bytes of XML without credentials. Request.Sent says how many of
// them were sent.
func Huge(n int64) Answer {
	return func(x *Exchange) {
		startXML(x, http.StatusOK)
		_, _ = x.Write([]byte("<AssumeRoleWithWebIdentityResponse><Padding>"))
		piece := bytes.Repeat([]byte("x"), 64<<10)
		for left := n; left > 0; left -= int64(len(piece)) {
			if _, err := x.Write(piece[:min(int64(len(piece)), left)]); err != nil {
				return
			}
		}
	}
}

// Drip sends an endless answer, at a rate.
func Drip(bytesPerSecond int) Answer {
	return func(x *Exchange) {
		startXML(x, http.StatusOK)
		tick := time.NewTicker(time.Second / time.Duration(bytesPerSecond))
		defer tick.Stop()
		flusher := http.NewResponseController(x.ResponseWriter)
		for {
			select {
			case <-tick.C:
			case <-x.Gone:
				return
			}
			if _, err := x.Write([]byte(" ")); err != nil {
				return
			}
			_ = flusher.Flush()
		}
	}
}

// Redirect answers with a redirect to another address.
func Redirect(url string, status int) Answer {
	return func(x *Exchange) {
		x.Header().Set("Location", url)
		x.WriteHeader(status)
	}
}

// Hang does not answer until the client gives up.
func Hang() Answer {
	return func(x *Exchange) { <-x.Gone }
}

// Slow waits before it answers, unless the client gives up.
func Slow(d time.Duration, answer Answer) Answer {
	return func(x *Exchange) {
		select {
		case <-time.After(d):
			answer(x)
		case <-x.Gone:
		}
	}
}

// Reset drops the connection, which the client sees as a reset by the peer.
func Reset() Answer {
	return func(x *Exchange) {
		conn, _, err := http.NewResponseController(x.ResponseWriter).Hijack()
		if err != nil {
			return
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = conn.Close()
	}
}

// startXML begins an answer of XML.
func startXML(x *Exchange, status int) {
	x.Header().Set("Content-Type", "text/xml")
	x.Header().Set("X-Amzn-RequestId", requestID)
	x.WriteHeader(status)
}

// writeXML answers with body as XML.
func writeXML(x *Exchange, status int, body any) {
	startXML(x, status)
	_, _ = x.Write(encode(body))
}

// encode returns body as XML. It panics if body cannot be written, which is impossible
// for the types of this package.
func encode(body any) []byte {
	encoded, err := xml.Marshal(body)
	if err != nil {
		panic(err)
	}
	return encoded
}
