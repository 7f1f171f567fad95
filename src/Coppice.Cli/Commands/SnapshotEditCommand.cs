using System.CommandLine;
using System.Diagnostics;
using System.Text;
using Coppice.Core;

namespace Coppice.Cli.Commands;

/// <summary><c>snapshot edit</c>: name and description are all that ever changes of a snapshot (R27, R36).</summary>
internal static class SnapshotEditCommand
{
    public static Command Edit()
    {
        var domain = KnownNames.Domain();
        var snapshot = KnownNames.Snapshot(domain);
        var description = new Option<string?>("--description")
        {
            Description = "The new description; without this, VISUAL or EDITOR opens the document, of which name and description count",
            HelpName = "TEXT",
        };
        return new CoppiceCommand("edit", "Change the description or the name of a snapshot", domain, snapshot, description)
            .Requests(
                async (run, cancellation) => run.Get(description) is { } text
                    ? new EditSnapshot(run.Get(domain), run.Get(snapshot), Name: null, text)
                    : await InEditorAsync(run, run.Get(domain), run.Get(snapshot), cancellation),
                "changed snapshot {snapshot}");
    }

    private static async Task<Request?> InEditorAsync(Invocation run, string domain, string name, CancellationToken cancellation)
    {
        var snapshot = await run.Home.ReadSnapshotAsync(domain, name);
        var text = await EditAsync(SnapshotXml.Format(snapshot), run.Surroundings, cancellation);
        var after = SnapshotXml.Parse(text, SnapshotParseMode.Create);
        var newName = after.Name is { } changed && changed != snapshot.Name ? changed : null;
        var newDescription = after.Description != snapshot.Description ? after.Description : null;
        if ((newName ?? newDescription) is null)
        {
            await run.Surroundings.Error.WriteLineAsync("coppice: neither name nor description was changed; nothing was done");
            return null;
        }

        return new EditSnapshot($"{snapshot.DomainId}", $"{snapshot.Id}", newName, newDescription);
    }

    private static async Task<string> EditAsync(string text, Surroundings surroundings, CancellationToken cancellation)
    {
        var folder = Directory.CreateTempSubdirectory("coppice-edit-");
        try
        {
            var path = $"{folder.FullName}/snapshot.xml";
            await File.WriteAllTextAsync(path, text, new UTF8Encoding(false), cancellation);
            await OpenAsync(path, surroundings, cancellation);
            return await InputFile.ReadAsync(path, surroundings, cancellation);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task OpenAsync(string path, Surroundings surroundings, CancellationToken cancellation)
    {
        // The variable may hold options, so a shell splits it, as git and crontab do.
        var editor = surroundings.Variable("VISUAL") ?? surroundings.Variable("EDITOR") ?? "vi";
        using var process = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", $"{editor} \"$1\"", "coppice", path]))!;
        await process.WaitForExitAsync(cancellation);
        if (process.ExitCode != 0)
        {
            throw new CoppiceException(
                ErrorKind.Cancelled, $"editor '{Printable.Line(editor)}'", $"ended with exit code {process.ExitCode}, nothing was done", "set EDITOR, or use --description");
        }
    }
}
