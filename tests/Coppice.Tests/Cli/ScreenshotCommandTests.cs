using System.Text;

namespace Coppice.Tests.Cli;

public sealed class ScreenshotCommandTests
{
    private const string Video = "<video><model type='vga'/></video>";

    [Fact]
    public async Task A_picture_goes_into_a_new_file_or_to_standard_output()
    {
        using var desk = new Desk();
        await desk.DefineAsync(devices: Video);
        await desk.DoAsync("start web");
        var file = desk.File("picture.ppm", "");
        File.Delete(file);
        var taken = await desk.TypeAsync("screenshot", "web", file);
        Assert.Equal((0, "web: screen 0 is in FOLDER/picture.ppm\n"), (taken.ExitCode, taken.Output));
        Assert.StartsWith("P6\n", await File.ReadAllTextAsync(file), StringComparison.Ordinal);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        Assert.Equal(4, (await desk.TypeAsync("screenshot", "web", file)).ExitCode);

        var piped = await desk.TypeAsync("screenshot", "web", "-");
        Assert.Equal((0, ""), (piped.ExitCode, piped.Output));
        Assert.StartsWith("P6\n", Encoding.ASCII.GetString(desk.RawOutput.ToArray()), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_program_is_told_where_it_is()
    {
        using var desk = new Desk();
        await desk.DefineAsync(devices: Video);
        await desk.DoAsync("start web");
        var file = desk.File("picture.ppm", "");
        File.Delete(file);
        Assert.Equal(
            """
            {
              "picture": {
                "domain": "web",
                "screen": 0,
                "file": "FOLDER/picture.ppm",
                "bytes": 14
              }
            }

            """,
            (await desk.TypeAsync("screenshot", "web", file, "--json")).Output);
    }

    [Theory]
    [InlineData("screenshot web")]
    [InlineData("screenshot web --screen 1")]
    public async Task What_has_no_such_screen_is_refused_and_leaves_no_file(string line)
    {
        using var desk = new Desk();
        await desk.DefineAsync(devices: line.Contains("--screen", StringComparison.Ordinal) ? Video : "");
        await desk.DoAsync("start web");
        var refused = await desk.TypeAsync([.. line.Split(' ')]);
        Assert.NotEqual(0, refused.ExitCode);
        Assert.Contains("screen", refused.Error, StringComparison.Ordinal);
        Assert.False(File.Exists("web.ppm"));
    }
}
