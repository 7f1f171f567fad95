using System.Text;
using Coppice.Core;

namespace Coppice.Cli;

/// <summary>Reads a document that a user named. Its size is bounded before anything is made of it.</summary>
internal static class InputFile
{
    /// <summary>No document of ours is longer.</summary>
    public const int MaximumBytes = DomainXml.MaximumBytes;

    /// <summary>The text of a file, or of standard input for <c>-</c>.</summary>
    /// <exception cref="CoppiceException">It cannot be read, is too long or no UTF-8.</exception>
    public static async Task<string> ReadAsync(string path, Surroundings surroundings, CancellationToken cancellation)
    {
        if (path == "-")
        {
            return await ReadAsync(surroundings.Input(), "standard input", cancellation);
        }

        var subject = $"file '{Printable.Line(path)}'";
        try
        {
            await using var file = File.OpenRead(path);
            return await ReadAsync(file, subject, cancellation);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new CoppiceException(ErrorKind.NotFound, subject, "does not exist", "check the path", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CoppiceException(ErrorKind.Storage, subject, $"cannot be read: {e.Message.TrimEnd('.')}", "check what it is, and its permissions", e);
        }
    }

    private static async Task<string> ReadAsync(Stream stream, string subject, CancellationToken cancellation)
    {
        var buffer = new byte[MaximumBytes + 1];
        var length = await stream.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancellation);
        if (length > MaximumBytes)
        {
            throw new CoppiceException(ErrorKind.Forbidden, subject, $"is longer than {new ByteCount(MaximumBytes)}", "check that it is the right one");
        }

        try
        {
            var text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(buffer, 0, length);
            return text.TrimStart('\uFEFF');
        }
        catch (DecoderFallbackException e)
        {
            throw new CoppiceException(ErrorKind.InvalidInput, subject, "is not text in UTF-8", "convert it", e);
        }
    }
}
