using System.Diagnostics;
using Coppice.Core;
using Coppice.Live.Tree;

namespace Coppice.Live.Cli;

/// <summary>What a command printed and how it ended.</summary>
public sealed record CommandRun(int ExitCode, string Output, string Errors);

/// <summary>A home of its own that is used through the command alone, as a person would.</summary>
public sealed class CliHome : IAsyncDisposable
{
    /// <summary>The command as users get it, if the suite was given one; else as it was just built.</summary>
    public static string Program { get; } =
        Environment.GetEnvironmentVariable("COPPICE_COMMAND") ?? Path.Combine(AppContext.BaseDirectory, "coppice");

    public string Folder { get; } = Directory.CreateTempSubdirectory("cc-").FullName;

    /// <summary>What starts the command, with arguments of its own; empty to start it as it is.</summary>
    public string[] Starter { get; init; } = [];

    public string HomeName { get; init; } = "h";

    /// <summary>Whether checksums are taken in the background: a process that outlives its command. Empty takes them.</summary>
    public string Checksums { get; init; } = "off";

    public string Home => Path.Combine(Folder, HomeName);

    /// <summary>A domain that boots into nothing: enough for whatever does not need a guest.</summary>
    public static string Xml(string name, string image, string format = "qcow2") => $"""
        <domain type='qemu'>
          <name>{name}</name>
          <memory unit='MiB'>32</memory>
          <os><type arch='x86_64' machine='pc'>hvm</type></os>
          <devices>
            <disk type='file' device='disk' snapshot='external'>
              <driver name='qemu' type='{format}'/>
              <source file='{image}'/>
              <target dev='vda' bus='virtio'/>
            </disk>
          </devices>
        </domain>
        """;

    /// <summary>The same as libvirt's own users would write it, who say nothing of snapshots.</summary>
    public static string PlainXml(string name, string image, Guid? uuid = null) => $"""
        <domain type='qemu'>
          <name>{name}</name>
          {(uuid is { } id ? $"<uuid>{id:D}</uuid>" : "")}
          <memory unit='MiB'>64</memory>
          <os><type arch='x86_64' machine='pc'>hvm</type></os>
          <devices>
            <disk type='file' device='disk'>
              <driver name='qemu' type='qcow2'/>
              <source file='{image}'/>
              <target dev='vda' bus='virtio'/>
            </disk>
          </devices>
        </domain>
        """;

    public string Write(string name, string text)
    {
        var path = Path.Combine(Folder, name);
        File.WriteAllText(path, text);
        return path;
    }

    public async Task<string> ImageAsync(string name, params string[] more)
    {
        var path = Path.Combine(Folder, name);
        var run = await RunProgramAsync("qemu-img", ["create", "-q", "-f", "qcow2", .. more, path, "16M"]);
        Assert.True(run.ExitCode == 0, run.Errors);
        return path;
    }

    public Task<CommandRun> RunAsync(params string[] arguments) =>
        Starter is [var program, .. var first] ? RunProgramAsync(program, [.. first, Program, .. arguments]) : RunProgramAsync(Program, arguments);

    /// <summary>Starts a command whose end is not waited for.</summary>
    public Process Begin(params string[] arguments) => Process.Start(new ProcessStartInfo(Program, arguments)
    {
        RedirectStandardOutput = true,
        RedirectStandardError = true,
        Environment = { ["COPPICE_HOME"] = Home, ["NO_COLOR"] = "1", ["COPPICE_CHECKSUMS"] = Checksums },
    })!;

    /// <summary>Runs a command that must succeed.</summary>
    public async Task<string> DoAsync(params string[] arguments)
    {
        var run = await RunAsync(arguments);
        Assert.True(run.ExitCode == 0, $"coppice {string.Join(' ', arguments)}: {run.Errors}{run.Output}");
        return run.Output;
    }

    /// <summary>Runs a command that must be refused with a message that has all these parts.</summary>
    public async Task RefuseAsync(string[] arguments, params string[] parts)
    {
        var run = await RunAsync(arguments);
        Assert.True(run.ExitCode is > 0 and < 128, $"coppice {string.Join(' ', arguments)} ended with {run.ExitCode}: {run.Output}{run.Errors}");
        Assert.All(parts, part => Assert.Contains(part, run.Errors, StringComparison.Ordinal));
        Assert.DoesNotContain("   at ", run.Errors, StringComparison.Ordinal);
        Assert.True(run.Errors.Length < 2000, "an error that nobody reads");
    }

    public Task<CommandRun> RunProgramAsync(string program, params string[] arguments) => RunProgramAsync(program, "", arguments);

    /// <summary>Runs a command with something typed.</summary>
    public Task<CommandRun> TypeAsync(string input, params string[] arguments) =>
        RunProgramAsync(Program, input, arguments);

    private async Task<CommandRun> RunProgramAsync(string program, string input, string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            Environment = { ["COPPICE_HOME"] = Home, ["NO_COLOR"] = "1", ["COPPICE_CHECKSUMS"] = Checksums },
        })!;
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return new CommandRun(process.ExitCode, await output, await errors);
    }

    public async ValueTask DisposeAsync()
    {
        await LiveDomain.EndAllAsync(Home);
        await LiveVolume.RemoveAsync(new HomeFolder(Home));
        Directory.Delete(Folder, recursive: true);
    }
}
