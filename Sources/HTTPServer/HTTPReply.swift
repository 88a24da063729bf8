/// The way to answer one request that a ``HTTPServer/DirectHandler`` took.
package struct HTTPReply: Sendable {
    let connection: HTTPConnection

    /// Sends the answer; exactly once, on the loop. Nothing happens if the client has left.
    package func send(_ response: HTTPResponse) { connection.reply(response) }
}
