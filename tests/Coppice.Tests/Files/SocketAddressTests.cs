using System.Net.Sockets;
using Coppice.Files;

namespace Coppice.Tests.Files;

public sealed class SocketAddressTests
{
    [Theory]
    [InlineData(1, false)]
    [InlineData(1, true)]
    [InlineData(150, false)]
    [InlineData(150, true)]
    public async Task A_socket_is_reached_however_long_its_path_is_and_through_a_link(int length, bool throughLink)
    {
        var folder = Directory.CreateTempSubdirectory("ca-");
        try
        {
            var path = $"{folder.CreateSubdirectory(new string('h', length)).FullName}/a.sock";
            using var listener = NewSocket();
            using (var own = SocketAddress.Of(path))
            {
                listener.Bind(own.EndPoint);
                listener.Listen(1);
            }

            var link = $"{Path.GetDirectoryName(path)}/link";
            File.CreateSymbolicLink(link, path);
            using var client = NewSocket();
            using var address = SocketAddress.Of(throughLink ? link : path);
            await client.ConnectAsync(address.EndPoint, TestContext.Current.CancellationToken);
            using var accepted = await listener.AcceptAsync(TestContext.Current.CancellationToken);
            Assert.True(accepted.Connected);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void A_folder_that_is_gone_is_named()
    {
        var path = $"/nowhere/{new string('h', 150)}/a.sock";
        var error = Assert.Throws<FileException>(() => SocketAddress.Of(path));
        Assert.Equal((Path.GetDirectoryName(path), true), (error.Path, error.IsMissing));
    }

    private static Socket NewSocket() => new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
}
