namespace Coppice.Cli.Reports;

/// <summary>A picture of a guest's screen.</summary>
/// <param name="Domain">The domain, as it was named.</param>
/// <param name="Screen">Which screen, from 0.</param>
/// <param name="File">The file, a PPM.</param>
/// <param name="Bytes">How large it is.</param>
internal sealed record PictureReport(string Domain, int Screen, string File, long Bytes);
