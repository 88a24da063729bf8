/// The way to answer one request that a ``HTTPServer/DirectHandler`` took.
package struct HTTPReply: Sendable {
    let connection: HTTPConnection
    /// Changes every answer, whoever makes it.
    private var decorate: (@Sendable (inout HTTPResponse) -> Void)?

    init(connection: HTTPConnection) { self.connection = connection }

    /// The same reply, whose answer is changed before it is sent.
    package func decorated(
        by decorate: @escaping @Sendable (inout HTTPResponse) -> Void
    ) -> HTTPReply {
        var reply = self
        reply.decorate = decorate
        return reply
    }

    /// Sends the answer; exactly once, on the loop. Nothing happens if the client has left.
    package func send(_ response: HTTPResponse) {
        guard let decorate else { return connection.reply(response) }
        var decorated = response
        decorate(&decorated)
        connection.reply(decorated)
    }
}
