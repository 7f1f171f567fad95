using System.CommandLine;
using Coppice.Cli.Reports;
using Coppice.Core;

namespace Coppice.Cli.Commands;

/// <summary><c>screenshot</c>: what a guest shows, as a picture.</summary>
internal static class ScreenshotCommand
{
    private const string StandardOutput = "-";

    public static Command Screenshot()
    {
        var domain = KnownNames.Domain();
        var file = new Argument<string?>("FILE")
        {
            Description = "The file to make, or - for standard output; DOMAIN.ppm if left out", Arity = ArgumentArity.ZeroOrOne,
        };
        var screen = new Option<int>("--screen") { Description = "Which screen, from 0", HelpName = "N" };
        return new CoppiceCommand("screenshot", "Take a picture of a guest's screen (PPM)", domain, file, screen)
            .Does(async (run, cancellation) =>
            {
                var (name, path) = (run.Get(domain), run.Get(file));
                await using var picture = await run.Home.TakePictureAsync(name, run.Get(screen), cancellation);
                if (path == StandardOutput)
                {
                    await picture.CopyToAsync(run.Surroundings.RawOutput, cancellation);
                    await run.Surroundings.RawOutput.FlushAsync(cancellation);
                    return;
                }

                var made = Path.GetFullPath(path ?? $"{name}.ppm");
                await WriteAsync(picture, made, cancellation);
                run.Output.Picture(new PictureReport(name, run.Get(screen), made, picture.Length));
            });
    }

    private static async Task WriteAsync(Stream picture, string path, CancellationToken cancellation)
    {
        await using var file = Create(path);
        try
        {
            await picture.CopyToAsync(file, cancellation);
        }
        catch
        {
            File.Delete(path);
            throw;
        }
    }

    /// <summary>What a screen shows may be secret.</summary>
    private static FileStream Create(string path)
    {
        try
        {
            return new FileStream(path, new FileStreamOptions
            {
                Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            });
        }
        catch (IOException e) when (Path.Exists(path))
        {
            throw new CoppiceException(ErrorKind.AlreadyExists, $"file {path}", "exists already", "name another one", e);
        }
    }
}
