// What can be said of the page as it is shown now.
(() => {
  const channels = (color) => color.match(/[\d.]+/g).map(Number);
  const luminance = (color) => {
    const [red, green, blue] = channels(color).map((channel) => {
      const part = channel / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const canvas = () => {
    const probe = document.body.appendChild(document.createElement('div'));
    probe.style.background = 'Canvas';
    const color = getComputedStyle(probe).backgroundColor;
    probe.remove();
    return color;
  };
  const ground = (element) => {
    if (!element) return canvas();
    const color = getComputedStyle(element).backgroundColor;
    return channels(color)[3] === 0 ? ground(element.parentElement) : color;
  };
  const contrast = (element) => {
    const shades = [getComputedStyle(element).color, ground(element)].map(luminance);
    return (Math.max(...shades) + 0.05) / (Math.min(...shades) + 0.05);
  };
  const texts = [...document.body.querySelectorAll('*')].filter((element) =>
    [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim()));
  return {
    address: location.pathname + location.search + location.hash,
    title: document.title,
    language: document.documentElement.lang,
    headings: [...document.querySelectorAll('h1')].map((heading) => heading.innerText),
    landmarks: document.querySelectorAll('main').length,
    said: document.querySelector('main [role=status]')?.innerText,
    source: document.documentElement.outerHTML,
    fetched: performance.getEntriesByType('resource').map((entry) => entry.name),
    dark: luminance(canvas()) < 0.5,
    contrast: Math.min(...texts.map(contrast)),
    smallest: Math.min(...texts.map((element) => parseFloat(getComputedStyle(element).fontSize))),
    wider: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    width: document.documentElement.clientWidth,
  };
})()
